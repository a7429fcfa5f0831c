"""Values of OpenTelemetry's in protobuf as JSON texts, those of many records at once."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
import pyarrow as pa

from tocsin.ingest.bodies.protobuf_fields import Fields, fields_of, varints
from tocsin.ingest.columns.decode_lines import Bytes, Flags, Numbers, table_of
from tocsin.ingest.columns.decode_scalars import NOTHING, slices_of

_NULL, _TEXT, _TRUTH, _INTEGER, _DOUBLE, _LIST, _OBJECT, _BYTES = (
    *(0x00, 0x0A, 0x10, 0x18, 0x21, 0x2A, 0x32, 0x3A),  # the tags of an AnyValue
)
_KEY, _VALUE, _ITEM = 0x0A, 0x12, 0x0A
_SIZED = table_of(bytes((_TEXT, _LIST, _OBJECT, _BYTES)))
_KNOWN = table_of(bytes((_NULL, _TEXT, _TRUTH, _INTEGER, _DOUBLE, _LIST, _OBJECT, _BYTES)))
_QUOTE, _SLASH, _BLANK = b'"\\ '
_MOST_ITEMS = 400
"""Items of one list or object; a record with more is read by itself."""
_MOST_CODES = 1 << 16
_OPENS = (b"", b'"', b"{", b"[")
_OPEN_OF = np.zeros(256, np.int64)
_OPEN_OF[[_TEXT, _BYTES]], _OPEN_OF[_OBJECT], _OPEN_OF[_LIST] = 1, 2, 3


@dataclass(frozen=True, slots=True, eq=False)
class _Items:
    """Values with where their item begins, its tree, holder and key (none: at 0)."""

    starts: Numbers
    trees: Numbers
    holders: Numbers
    key_begins: Numbers
    key_ends: Numbers
    begins: Numbers
    ends: Numbers
    is_first: Flags

    def chosen(self, which: Flags | Numbers) -> "_Items":
        return _Items(*(getattr(self, name)[which] for name in _ITEM_NAMES))


_ITEM_NAMES = ("starts", "trees", "holders", "key_begins", "key_ends", "begins", "ends", "is_first")


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """Items at one depth and the kinds of their values; where each value itself is."""

    items: _Items
    kinds: Bytes
    begins: Numbers
    ends: Numbers

    def chosen(self, which: Flags | Numbers) -> "_Level":
        return _Level(
            self.items.chosen(which), self.kinds[which], self.begins[which], self.ends[which]
        )


class RecordValues:
    """Bodies and attributes of records, read a depth at a time.

    Each record has two trees: ``2 n`` is the body, ``2 n + 1`` the attributes of record ``n``.
    """

    def __init__(self, data: Bytes, records: int) -> None:
        """``data`` is a sound request with PADDING behind it."""
        self._data = data
        self._is_left = np.zeros(2 * records, np.bool_)
        self._levels: list[_Level] = []
        self._holders = 2 * records

    def left(self) -> Flags:
        """The records that must be read one by one."""
        return self._is_left[0::2] | self._is_left[1::2]

    def read(self, bodies: Fields, attributes: Fields) -> None:
        """Bodies (one a record at most) and attributes, the owners being records."""
        body_at = np.full(len(self._is_left) // 2, -1)
        body_at[bodies.owners] = bodies.begins
        is_behind = attributes.begins > body_at[attributes.owners]
        trees = attributes.owners * 2 + 1
        self._is_left[trees[~is_behind]] = True
        behind = trees[is_behind]
        owned = self._pairs(
            attributes.begins[is_behind],
            attributes.ends[is_behind],
            behind,
            behind,
            attributes.firsts(len(body_at))[is_behind],
        )
        items = _together([_unnamed(bodies, bodies.owners * 2, bodies.owners * 2), owned])
        while len(items.starts):
            level = self._level(items)
            self._levels.append(level)
            items = self._below(level)

    def _pairs(
        self, begins: Numbers, ends: Numbers, trees: Numbers, holders: Numbers, is_first: Flags
    ) -> _Items:
        """Items of pairs as all senders write them: the key, then the value, each once."""
        sizes, key_begins = varints(self._data, begins + 1)
        sound = (begins < ends) & (self._data[begins] == _KEY) & (key_begins + sizes <= ends)
        key_ends = np.where(sound, key_begins + sizes, begins)
        is_bare = key_ends == ends
        sizes, value_begins = varints(self._data, np.minimum(key_ends + 1, ends))
        value_begins = np.where(is_bare, ends, value_begins)
        sound &= is_bare | ((self._data[key_ends] == _VALUE) & (value_begins + sizes == ends))
        self._is_left[trees[~sound]] = True
        items = _Items(begins, trees, holders, key_begins, key_ends, value_begins, ends, is_first)
        return items if sound.all() else items.chosen(sound)

    def _level(self, items: _Items) -> _Level:
        is_empty = items.begins == items.ends
        kinds = np.where(is_empty, np.uint8(_NULL), self._data[items.begins])
        numbers, after = varints(self._data, items.begins + 1)
        is_sized = _SIZED[kinds]
        begins = np.where(is_sized, after, items.begins + 1)
        ends = np.where(is_sized, begins + numbers, after)
        ends[kinds == _DOUBLE] = begins[kinds == _DOUBLE] + 8
        ends[is_empty] = items.ends[is_empty]
        sound = (ends == items.ends) & np.where(is_empty, True, _KNOWN[kinds])
        self._is_left[items.trees[~sound]] = True
        level = _Level(items, kinds, begins, ends)
        return level if sound.all() else level.chosen(sound)

    def _below(self, level: _Level) -> _Items:
        """The items of the lists and objects of a level; these get numbers as holders."""
        parts: list[_Items] = []
        for kind in (_LIST, _OBJECT):
            mine = np.flatnonzero(level.kinds == kind)
            trees = level.items.trees[mine]
            found, is_whole = fields_of(
                self._data, level.begins[mine], level.ends[mine], _MOST_ITEMS
            )
            is_whole[found.owners[found.tags != _ITEM]] = False
            self._is_left[trees[~is_whole]] = True
            of, holders = trees[found.owners], found.owners + self._holders
            self._holders += len(mine)
            if kind == _LIST:
                parts.append(_unnamed(found, of, holders, found.firsts(len(mine))))
            else:
                firsts = found.firsts(len(mine))
                parts.append(self._pairs(found.begins, found.ends, of, holders, firsts))
        return _together(parts)

    def texts(self) -> tuple[pa.StringArray, pa.StringArray]:
        """The text of each record's body and of its attributes, without brackets; may be empty.

        Records that are left, more of which are found here, have any text at all.
        """
        trees = np.arange(len(self._is_left) + 1)
        found = _all_levels(self._levels)
        if not len(found.kinds):
            nothing = slices_of(b"", trees[: len(trees) // 2] * 0, trees[: len(trees) // 2] * 0)
            return nothing, nothing
        items = found.items
        parts = (
            self._beginnings(items, found.kinds),
            self._values(found),
            _endings(found, self._levels),
        )
        pieces = np.empty((len(found.kinds), len(parts)), np.int64)
        before = 0
        for column, (texts, which) in enumerate(parts):
            pieces[:, column] = which + before
            before += len(texts)
        whole = pa.concat_arrays([texts for texts, _ in parts]).take(pa.array(pieces.ravel()))
        bounds = np.searchsorted(items.trees, trees) * len(parts)
        at = np.frombuffer(whole.buffers()[1], np.int32)[bounds]
        joined = whole.buffers()[2]
        return slices_of(joined, at[:-1:2], at[1::2]), slices_of(joined, at[1:-1:2], at[2::2])

    def _beginnings(self, items: _Items, kinds: Bytes) -> tuple[pa.StringArray, Numbers]:
        """What stands before each value: a comma, the key, an opening mark."""
        named = np.flatnonzero(items.key_begins)
        keys = slices_of(self._data, items.key_begins[named], items.key_ends[named])
        coded = keys.dictionary_encode()
        names = [orjson.dumps(key) + b":" for key in coded.dictionary.to_pylist()]
        codes = np.zeros(len(kinds), np.int64)
        codes[named] = coded.indices.to_numpy() + 1
        self._leave_repeated(items, named, codes)
        numbers = (codes * 2 + items.is_first) * len(_OPENS) + _OPEN_OF[kinds]
        used, which = _coded(numbers)
        texts = []
        for number in used.tolist():
            rest, mark = divmod(number, len(_OPENS))
            code, is_first = divmod(rest, 2)
            name = names[code - 1] if code else b""
            texts.append((b"" if is_first else b",") + name + _OPENS[mark])
        return pa.array(texts, pa.string()), which

    def _leave_repeated(self, items: _Items, named: Numbers, codes: Numbers) -> None:
        """Of a key that comes again in one object the last value counts: that is read elsewhere."""
        if not len(named):
            return
        ids = items.holders[named] * (int(codes.max()) + 1) + codes[named]
        ascending = np.sort(ids)
        if not (ascending[1:] == ascending[:-1]).any():
            return
        order = np.argsort(ids)
        again = order[1:][ids[order][1:] == ids[order][:-1]]
        self._is_left[items.trees[named[again]]] = True

    def _values(self, found: _Level) -> tuple[pa.StringArray, Numbers]:
        """The texts of values themselves; lists and objects have none."""
        kinds = found.kinds
        parts = [pa.array(["", "null", "true", "false"])]
        which = np.zeros(len(kinds), np.int64)
        which[kinds == _NULL] = 1
        truths = np.flatnonzero(kinds == _TRUTH)
        which[truths] = 3 - (varints(self._data, found.begins[truths])[0] != 0)
        texts = np.flatnonzero(kinds == _TEXT)
        readers: tuple[tuple[Numbers, Callable[[Numbers], pa.StringArray]], ...] = (
            (texts, lambda at: slices_of(self._data, found.begins[at], found.ends[at])),
            (np.flatnonzero(kinds == _INTEGER), lambda at: self._integers(found.begins[at])),
            (np.flatnonzero(kinds == _DOUBLE), lambda at: self._doubles(found.begins[at])),
            (np.flatnonzero(kinds == _BYTES), lambda at: self._bytes(found, at)),
        )
        count = len(parts[0])
        for mine, read in readers:
            if not len(mine):
                continue
            parts.append(read(mine))
            which[mine] = np.arange(count, count + len(mine))
            count += len(mine)
        if len(texts):
            rows, escaped = escaped_texts(parts[1])
            parts.append(escaped)
            which[texts[rows]] = np.arange(count, count + len(rows))
        return pa.concat_arrays(parts), which

    def _integers(self, begins: Numbers) -> pa.StringArray:
        return pa.array(varints(self._data, begins)[0]).cast(pa.string())

    def _doubles(self, begins: Numbers) -> pa.StringArray:
        """As JSON has them, which has no numbers for what is none."""
        doubles = self._data[begins[:, None] + np.arange(8)].view("<f8").ravel()
        is_finite = np.isfinite(doubles)
        texts = orjson.dumps(np.where(is_finite, doubles, 0.0).tolist())[1:-1].split(b",")
        for row in np.flatnonzero(~is_finite).tolist():
            value = doubles[row]
            texts[row] = (
                b'"NaN"' if value != value else b'"Infinity"' if value > 0 else b'"-Infinity"'
            )
        return pa.array(texts, pa.string())

    def _bytes(self, found: _Level, at: Numbers) -> pa.StringArray:
        spans = zip(found.begins[at].tolist(), found.ends[at].tolist(), strict=True)
        return pa.array(
            [b64encode(self._data[begin:end].tobytes()) for begin, end in spans], pa.string()
        )


def escaped_texts(texts: pa.StringArray) -> tuple[Numbers, pa.StringArray]:
    """The rows of texts that JSON has with escapes, and these as JSON has them."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[: len(texts) + 1]
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)[: offsets[-1]]
    marks = np.flatnonzero((data == _QUOTE) | (data == _SLASH) | (data < _BLANK))
    if not len(marks):
        return marks, NOTHING
    rows = np.searchsorted(offsets, marks, "right") - 1
    rows = rows[np.diff(rows, prepend=-1) > 0]
    written = orjson.dumps(texts.take(pa.array(rows)).to_pylist())
    # Within an escaped text a quote always follows a backslash, never a comma.
    return rows, pa.array(written[2:-2].split(b'","'), pa.string())


def _coded(numbers: Numbers) -> tuple[Numbers, Numbers]:
    """The different numbers, none below 0, and which of them each is."""
    if numbers.max() >= _MOST_CODES:
        return np.unique(numbers, return_inverse=True)
    used = np.flatnonzero(np.bincount(numbers))
    place = np.zeros(int(used[-1]) + 1, np.int64)
    place[used] = np.arange(len(used))
    return used, place[numbers]


def _unnamed(
    found: Fields, trees: Numbers, holders: Numbers, is_first: Flags | None = None
) -> _Items:
    nowhere = np.zeros(len(trees), np.int64)
    first = np.ones(len(trees), np.bool_) if is_first is None else is_first
    begins = found.begins
    return _Items(begins, trees, holders, nowhere, nowhere, begins, found.ends, first)


def _together(parts: Sequence[_Items]) -> _Items:
    return _Items(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in _ITEM_NAMES)
    )


def _all_levels(levels: Sequence[_Level]) -> _Level:
    """All of them in the order of the request: an item before those it holds."""
    if not levels:
        nothing = np.zeros(0, np.int64)
        flags = np.zeros(0, np.bool_)
        items = _Items(nothing, nothing, nothing, nothing, nothing, nothing, nothing, flags)
        return _Level(items, np.zeros(0, np.uint8), nothing, nothing)
    kinds, begins, ends = (
        np.concatenate([getattr(level, name) for level in levels])
        for name in ("kinds", "begins", "ends")
    )
    whole = _Level(_together([level.items for level in levels]), kinds, begins, ends)
    return whole.chosen(np.argsort(whole.items.starts))


def _endings(found: _Level, levels: Sequence[_Level]) -> tuple[pa.StringArray, Numbers]:
    """What stands behind each value: its quote, and the marks of all that end with it."""
    marks = 1 + (_OPEN_OF[found.kinds] == 1)
    for level in reversed(levels):  # the innermost ends first
        for mark, kind in ((1, _LIST), (2, _OBJECT)):
            ends = level.ends[level.kinds == kind]
            last = np.searchsorted(found.items.starts, ends, "right") - 1
            marks[last] = marks[last] * 3 + mark
    used, which = _coded(marks)
    return pa.array([_ending(number) for number in used.tolist()], pa.string()), which


def _ending(number: int) -> str:
    text = ""
    while number > 2:
        number, mark = divmod(number, 3)
        text = " ]}"[mark] + text
    return '"' + text if number == 2 else text
