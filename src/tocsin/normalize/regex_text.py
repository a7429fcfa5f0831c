"""Texts laid out as one column of bytes, with how far expressions have been read in each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.normalize.regex_parts import BETWEEN, Members

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_WORD = 8
_PADDING = np.full(_WORD + 1, BETWEEN, np.uint8)
_LAST_CONTROL = 32
_FARTHEST = 64
"""Bytes of a class that is not broad are counted one by one, up to so many."""
_PATIENCE = 40
_NEAR = 4
"""Marks that are stepped over one by one; farther ones are looked up."""


@dataclass(frozen=True, slots=True, eq=False)
class Lead:
    """What the rest of an expression begins with: a text, before it a byte that need not be there."""

    text: bytes
    then: Members
    """The bytes that may come after the text."""
    before: Members | None = None


@dataclass(frozen=True, slots=True, eq=False)
class At:
    """Texts by number, ascending, and where in ``data`` and in ``marks`` each is being read."""

    rows: Numbers
    places: Numbers
    cursors: Numbers

    def of(self, chosen: Numbers | Flags) -> "At":
        return At(self.rows[chosen], self.places[chosen], self.cursors[chosen])


class ReadTexts:
    """Valid UTF-8 texts, none null, in the midst of being read.

    ``marks`` are the places of all bytes of ``is_mark``, which are those that end a broad class.
    What is ``given_up`` only RE2 can judge.
    """

    def __init__(self, texts: pa.StringArray, is_mark: Members, groups: Sequence[str]) -> None:
        count = len(texts)
        joined = pc.binary_join_element_wise(b"", texts.cast(pa.binary()), bytes([BETWEEN]))
        offsets = np.frombuffer(joined.buffers()[1], np.int32)[joined.offset :][: count + 1]
        whole = np.frombuffer(joined.buffers()[2] or b"", np.uint8)
        self.data = np.concatenate((whole[offsets[0] : offsets[-1]], _PADDING))
        self._words = np.ndarray((len(self.data) - _WORD + 1,), "<u8", self.data, 0, (1,))
        bounds = offsets.astype(np.int64) - offsets[0]
        self.starts, self.ends = bounds[:-1] + 1, bounds[1:]
        self.is_mark = is_mark
        self.marks = np.flatnonzero(self._are_marks(is_mark))
        self.kinds = self.data.take(self.marks)
        self.matched = np.zeros(count, np.bool_)
        self.given_up = np.zeros(count, np.bool_)
        self.begins = {name: np.full(count, -1, np.int64) for name in groups}
        self.group_ends = {name: np.full(count, -1, np.int64) for name in groups}
        self._found: dict[bytes, Numbers] = {}
        self._led: dict[int, Numbers] = {}
        self._stops: dict[bytes, Numbers] = {}
        self._patience = _PATIENCE * count

    def _are_marks(self, is_mark: Members) -> Flags:
        found: Flags = self.data == BETWEEN
        if is_mark[: _LAST_CONTROL + 1].any():
            found |= self.data <= _LAST_CONTROL
        for byte in np.flatnonzero(is_mark[_LAST_CONTROL + 1 : BETWEEN]).tolist():
            found |= self.data == byte + _LAST_CONTROL + 1
        return found

    def all_from(self, rows: Numbers, places: Numbers) -> At:
        """The given texts at the given places."""
        return At(rows, places, np.searchsorted(self.marks, places))

    def have(self, wanted: bytes, places: Numbers) -> Flags:
        """At which of the places the text ``wanted`` is."""
        have = np.ones(len(places), np.bool_)
        for start in range(0, len(wanted), _WORD):
            piece = wanted[start : start + _WORD]
            if len(piece) == 1:
                have &= self.data.take(places + start, mode="clip") == piece[0]
                continue
            of_piece = np.uint64((1 << 8 * len(piece)) - 1)
            word = np.uint64(int.from_bytes(piece, "little"))
            here = np.minimum(places + start, len(self._words) - 1) if start else places
            have &= (self._words[here] & of_piece) == word
        return have

    def places_of(self, wanted: bytes) -> Numbers:
        """Everywhere that ``wanted`` is, ascending."""
        found = self._found.get(wanted)
        if found is None:
            begins = self.data == wanted[0]
            if len(wanted) > 1:
                begins[:-1] &= self.data[1:] == wanted[1]
            found = np.flatnonzero(begins)
            if len(wanted) > 2:
                found = found[self.have(wanted, found)]
            self._found[wanted] = found
        return found

    def places_of_lead(self, lead: Lead) -> Numbers:
        """Everywhere that what follows ``lead`` may begin, ascending."""
        key = id(lead)
        found = self._led.get(key)
        if found is None:
            found = self.places_of(lead.text)
            found = found[lead.then.take(self.data.take(found + len(lead.text)))]
            if lead.before is not None:
                before = found[lead.before.take(self.data.take(found - 1))] - 1
                found = np.unique(np.concatenate((before, found)))
            self._led[key] = found
        return found

    def past(self, members: Members, at: At, *, is_broad: bool) -> At:
        """Behind the bytes of a class."""
        return self._past_broad(members, at) if is_broad else self._past_narrow(members, at)

    def _past_broad(self, members: Members, at: At) -> At:
        cursors = at.cursors
        inside = np.flatnonzero(members.take(self.kinds.take(cursors)))
        if len(inside):
            cursors = cursors.copy()
        for _ in range(_NEAR):
            if not len(inside):
                break
            cursors[inside] += 1
            inside = inside[members.take(self.kinds.take(cursors[inside]))]
        if len(inside):
            cursors[inside] = self._stops_of(members).take(cursors[inside])
        return At(at.rows, self.marks.take(cursors), cursors)

    def _stops_of(self, members: Members) -> Numbers:
        """For each mark which one, from it on, is the first that is not in a class."""
        key = members.tobytes()
        found = self._stops.get(key)
        if found is None:
            stops = np.flatnonzero(~members.take(self.kinds))
            found = self._stops[key] = np.repeat(stops, np.diff(stops, prepend=-1))
        return found

    def _past_narrow(self, members: Members, at: At) -> At:
        inside = np.flatnonzero(members.take(self.data.take(at.places)))
        places = at.places.copy() if len(inside) else at.places
        for _ in range(_FARTHEST):
            if not len(inside):
                break
            places[inside] += 1
            inside = inside[members.take(self.data.take(places[inside]))]
        self.given_up[at.rows[inside]] = True
        return self.moved(at, places, may_pass_marks=bool((members & self.is_mark).any()))

    def moved(self, at: At, places: Numbers, *, may_pass_marks: bool) -> At:
        """At later places."""
        cursors = at.cursors
        if may_pass_marks:
            behind = np.flatnonzero(self.marks.take(cursors) < places)
            if len(behind):
                cursors = cursors.copy()
            while len(behind):
                cursors[behind] += 1
                behind = behind[self.marks.take(cursors[behind]) < places[behind]]
        return At(at.rows, places, cursors)

    def mind_letters(self, at: At) -> None:
        """Give up those that are amid a letter, which only counting bytes can lead to."""
        amid = (self.data.take(at.places) & 0xC0) == 0x80
        if amid.any():
            self.given_up[at.rows[amid]] = True

    def group(self, name: str, rows: Numbers) -> tuple[Numbers, Numbers]:
        """Where in ``data`` what a group captured begins and ends; nowhere where it took no part."""
        begins, ends = self.begins[name][rows], self.group_ends[name][rows]
        outside = begins < 0
        if outside.any():
            begins[outside] = ends[outside] = self.starts[rows[outside]]
        return begins, ends

    def forget(self, groups: Sequence[str], rows: Numbers) -> None:
        """These groups took no part in how the texts are read now."""
        for name in groups:
            self.begins[name][rows] = -1

    def has_patience(self, at: At) -> bool:
        """Whether to try once more; where it took too many attempts the texts are given up."""
        self._patience -= len(at.rows)
        if self._patience < 0:
            self.given_up[at.rows] = True
        return self._patience >= 0
