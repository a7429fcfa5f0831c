"""Reads groups, values and identities of a batch's events, each field once for all rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detect.correlate.ordered_runs import Keys, Times
from tocsin.detect.correlate.text_hash import TextHashes, hash_of, mixed
from tocsin.detect.rules.value_text import number_in, text_of
from tocsin.model.event import EventBatch
from tocsin.model.field_path import column_at

_HYPHENS = (8, 13, 18, 23)
_DIGITS = np.array([at for at in range(36) if at not in _HYPHENS])
_NIBBLES = np.zeros(256, np.uint64)
for _digit in range(16):
    _NIBBLES[ord(f"{_digit:x}")] = _NIBBLES[ord(f"{_digit:X}")] = _digit
LARGEST = float(2**62)


@dataclass(frozen=True, slots=True)
class FieldValues:
    """Values of a field: ``rows[i]`` has the value ``texts[codes[i]]``; a row may have several."""

    rows: Times
    codes: Times
    hashes: Keys
    texts: Sequence[str]
    distinct: pa.Array

    def item_hashes(self) -> Keys:
        return self.hashes[self.codes]

    def numbers(self) -> npt.NDArray[np.float64]:
        """The number of each item, NaN when it is none; beyond ±2^62 it is that bound."""
        kind = self.distinct.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            found = np.asarray(self.distinct.to_numpy(zero_copy_only=False), np.float64)
            found = np.where(np.isfinite(found), found, np.nan)
        else:
            found = np.array([_number(text) for text in self.texts], np.float64)
        return np.clip(found, -LARGEST, LARGEST)[self.codes]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Groups of rows: ``rows`` ascending, ``keys`` the group, ``codes`` those of the fields' ``texts``."""

    rows: Times
    keys: Keys
    codes: tuple[Times, ...]
    texts: tuple[Sequence[str], ...]


class ReadBatch:
    """The rows of a batch that some rule hit, by their position among these."""

    def __init__(self, batch: EventBatch, rows: Times, hashes: TextHashes, members: int) -> None:
        self._batch = batch
        native = batch.native
        if any(pa.types.is_nested(column.type) and column.offset for column in native.columns):
            native = native.take(pa.array(np.arange(native.num_rows)))
        self._native = native
        self._rows = rows
        self._whole = len(rows) == len(batch)
        self._hashes = hashes
        self._members = members
        self._fields: dict[str, FieldValues | None] = {}
        self._groupings: dict[tuple[str, ...], Grouping] = {}
        self.tenant = batch.tenant
        self.times: Times = _taken(batch.times, rows, self._whole).cast(pa.int64()).to_numpy()
        self.id_high, self.id_low = uuid_halves(_taken(batch.event_ids, rows, self._whole))
        sources = _taken(batch.sources, rows, self._whole).dictionary_encode()
        self.source_codes: Times = sources.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        self.source_names: list[str] = [str(name) for name in sources.dictionary.to_pylist()]

    def __len__(self) -> int:
        return len(self._rows)

    def field(self, name: str) -> FieldValues | None:
        """The values of a field, None when no row has one."""
        if name not in self._fields:
            self._fields[name] = self._read(name)
        return self._fields[name]

    def grouping(self, names: tuple[str, ...]) -> Grouping:
        """The groups of the rows by these fields; rows without a value in one are in none."""
        found = self._groupings.get(names)
        if found is None:
            found = self._groupings[names] = self._grouped(names)
        return found

    def _grouped(self, names: tuple[str, ...]) -> Grouping:
        rows = np.arange(len(self))
        keys = np.full(len(self), hash_of(self.tenant), np.uint64)
        codes: list[Times] = []
        texts: list[Sequence[str]] = []
        for name in names:
            values = self.field(name)
            if values is None:
                none = np.zeros(0, np.int64)
                return Grouping(none, keys[:0], tuple(none for _ in names), ([],) * len(names))
            at, items = joined(rows, values.rows, len(self), self._members)
            rows = rows[at]
            codes = [*(one[at] for one in codes), values.codes[items]]
            texts.append(values.texts)
            keys = mixed(keys[at], values.item_hashes()[items])
        return Grouping(rows, keys, tuple(codes), tuple(texts))

    def _read(self, name: str) -> FieldValues | None:
        array = column_at(self._native, name)
        if array is None:
            return None
        array = _taken(array, self._rows, self._whole)
        parents = None
        while pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
            parents = pc.list_parent_indices(array).to_numpy().astype(np.int64)
            array = pc.list_flatten(array)
            while pa.types.is_dictionary(array.type):
                array = array.dictionary_decode()
        if pa.types.is_nested(array.type) or pa.types.is_null(array.type):
            return None
        encoded = array.dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
        return self._values(codes, encoded.dictionary, parents)

    def _values(
        self, codes: Times, distinct: pa.Array, parents: Times | None
    ) -> FieldValues | None:
        hashes, texts = self._hashes.of(_texts_of(distinct))
        rows = np.arange(len(codes)) if parents is None else parents
        valid = codes >= 0
        if not hashes.all():
            valid &= hashes[codes] != 0
        if not valid.all():
            rows, codes = rows[valid], codes[valid]
        if not len(rows):
            return None
        if parents is not None:
            rows, codes = _distinct_members(rows, codes, hashes, self._members)
        return FieldValues(rows, codes, hashes, texts, distinct)


def joined(rows: Times, items: Times, most_rows: int, most: int) -> tuple[Times, Times]:
    """Pairs of positions (in ``rows``, in ``items``) of equal row, at most ``most`` a row.

    Both are ascending; several of one row on both sides give every combination.
    """
    each = np.arange(most_rows)
    if np.array_equal(items, each) and np.array_equal(rows, each):
        return each, each
    counts = np.bincount(items, minlength=most_rows)
    begins = np.cumsum(counts) - counts
    repeat = counts[rows]
    left = np.repeat(np.arange(len(rows)), repeat)
    within = np.arange(len(left)) - (np.cumsum(repeat) - repeat)[left]
    right = begins[rows[left]] + within
    if (repeat > 1).any():
        owner = rows[left]
        nth = np.arange(len(left)) - np.searchsorted(owner, owner)
        left, right = left[nth < most], right[nth < most]
    return left, right


def uuid_halves(ids: pa.Array) -> tuple[Keys, Keys]:
    """The 128 bits of each id ``8-4-4-4-12``; other texts give their hash."""
    count = len(ids)
    if not count:
        return np.zeros(0, np.uint64), np.zeros(0, np.uint64)
    lengths = pc.binary_length(ids)
    if pc.all(pc.equal(lengths, 36)).as_py():
        offsets = np.frombuffer(ids.buffers()[1], np.int32, count + 1, ids.offset * 4)
        text = np.frombuffer(ids.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
        nibbles = _NIBBLES[text.reshape(count, 36)[:, _DIGITS]]
        shifts = np.arange(60, -1, -4, dtype=np.uint64)
        return (
            np.bitwise_or.reduce(nibbles[:, :16] << shifts, axis=1),
            np.bitwise_or.reduce(nibbles[:, 16:] << shifts, axis=1),
        )
    digests = b"".join(
        blake2b(str(text).encode("utf-8", "replace"), digest_size=16).digest()
        for text in ids.to_pylist()
    )
    halves = np.frombuffer(digests, ">u8").astype(np.uint64).reshape(count, 2)
    return halves[:, 0].copy(), halves[:, 1].copy()


def _taken(array: pa.Array, rows: Times, whole: bool) -> pa.Array:
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array if whole else array.take(pa.array(rows))


def _distinct_members(rows: Times, codes: Times, hashes: Keys, members: int) -> tuple[Times, Times]:
    """Each value once a row, the first ``members`` of them."""
    order = np.lexsort((np.arange(len(rows)), hashes[codes], rows))
    repeated = np.zeros(len(rows), bool)
    same = (rows[order][1:] == rows[order][:-1]) & (
        hashes[codes[order]][1:] == hashes[codes[order]][:-1]
    )
    repeated[order[1:]] = same
    rows, codes = rows[~repeated], codes[~repeated]
    nth = np.arange(len(rows)) - np.searchsorted(rows, rows)
    return rows[nth < members], codes[nth < members]


def _texts_of(distinct: pa.Array) -> pa.Array:
    if pa.types.is_string(distinct.type):
        return distinct
    if pa.types.is_integer(distinct.type) or pa.types.is_large_string(distinct.type):
        return distinct.cast(pa.string())
    return pa.array([text_of(value) for value in distinct.to_pylist()], pa.string())


def _number(text: str | None) -> float:
    number = None if text is None else number_in(text)
    if number is None:
        return float("nan")
    try:
        return float(number)
    except OverflowError:
        return LARGEST if number > 0 else -LARGEST
