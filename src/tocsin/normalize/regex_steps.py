"""The steps by which an expression is read in many texts at once, where each has but one way on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tocsin.normalize.regex_parts import BETWEEN, Members
from tocsin.normalize.regex_text import At, Flags, Numbers, ReadTexts

_WORD_BYTES = np.zeros(256, np.bool_)
_WORD_BYTES[list(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")] = True
Read = tuple[Flags | None, At]
"""Which of the texts the step reads (None: all), and where it ends in each; all are kept in place."""


class Step(Protocol):
    """Something to read in each text, with one way to do so."""

    def read(self, texts: ReadTexts, at: At) -> Read: ...


@dataclass(frozen=True, slots=True, eq=False)
class ReadText:
    """These bytes, of which so many are marks."""

    wanted: bytes
    marks: int

    def read(self, texts: ReadTexts, at: At) -> Read:
        places = at.places + len(self.wanted)
        cursors = at.cursors + self.marks if self.marks else at.cursors
        return texts.have(self.wanted, at.places), At(at.rows, places, cursors)


@dataclass(frozen=True, slots=True, eq=False)
class ReadOne:
    """One byte of a class."""

    members: Members
    may_be_mark: bool

    def read(self, texts: ReadTexts, at: At) -> Read:
        found = self.members.take(texts.data.take(at.places))
        after = texts.moved(at, at.places + 1, may_pass_marks=self.may_be_mark)
        if self.members[0x80]:
            texts.mind_letters(after)
        return found, after


@dataclass(frozen=True, slots=True, eq=False)
class ReadRun:
    """All bytes of a class that come, ``least`` to ``most``."""

    members: Members
    least: int
    most: int | None
    is_broad: bool

    def read(self, texts: ReadTexts, at: At) -> Read:
        if self.most is not None:
            return self._read_few(texts, at, self.most)
        after = texts.past(self.members, at, is_broad=self.is_broad)
        return (after.places >= at.places + self.least if self.least else None), after

    def _read_few(self, texts: ReadTexts, at: At, most: int) -> Read:
        places = at.places
        going = np.ones(len(places), np.bool_)
        for _ in range(most):
            going = going & self.members.take(texts.data.take(places))
            if not going.any():
                break
            places = places + going
        marks = bool((self.members & texts.is_mark).any())
        after = texts.moved(at, places, may_pass_marks=marks)
        if self.members[0x80]:
            texts.mind_letters(after)
        return (places >= at.places + self.least if self.least else None), after


@dataclass(frozen=True, slots=True, eq=False)
class NoteGroup:
    """Where a group begins or ends."""

    group: str
    is_end: bool

    def read(self, texts: ReadTexts, at: At) -> Read:
        noted = texts.group_ends if self.is_end else texts.begins
        noted[self.group][at.rows] = at.places
        return None, at


@dataclass(frozen=True, slots=True, eq=False)
class SeeOne:
    """A byte of these comes next, or the end if it is among them."""

    members: Members

    def read(self, texts: ReadTexts, at: At) -> Read:
        return self.members.take(texts.data.take(at.places)), at


@dataclass(frozen=True, slots=True, eq=False)
class SeeEnd:
    """The end of the text."""

    def read(self, texts: ReadTexts, at: At) -> Read:
        return texts.data.take(at.places) == BETWEEN, at


@dataclass(frozen=True, slots=True, eq=False)
class SeeWordEdge:
    """Between a letter of a word and something else."""

    def read(self, texts: ReadTexts, at: At) -> Read:
        before = _WORD_BYTES.take(texts.data.take(at.places - 1))
        return before != _WORD_BYTES.take(texts.data.take(at.places)), at


@dataclass(frozen=True, slots=True, eq=False)
class ReadEither:
    """The one of several sequences that begins as the text goes on."""

    branches: tuple[tuple[tuple[Step, ...], tuple[str, ...]], ...]
    """Steps, and the groups within."""

    def read(self, texts: ReadTexts, at: At) -> Read:
        took, after = read_first(texts, at, self.branches, np.zeros(len(at.rows), np.int64))
        return took < len(self.branches), after


@dataclass(frozen=True, slots=True, eq=False)
class ReadOver:
    """A sequence as often as it comes."""

    steps: tuple[Step, ...]

    def read(self, texts: ReadTexts, at: At) -> Read:
        places, cursors = at.places.copy(), at.cursors.copy()
        going, inner = np.arange(len(at.rows)), at
        while len(inner.rows):
            if not texts.has_patience(inner):
                break
            kept, after = read_all(self.steps, texts, inner)
            if kept is not None:
                going, inner = going[kept], inner.of(kept)
            further = after.places > inner.places
            going, inner = going[further], after.of(further)
            places[going], cursors[going] = inner.places, inner.cursors
        return None, At(at.rows, places, cursors)


Branches = Sequence[tuple[tuple[Step, ...], tuple[str, ...]]]


def read_first(
    texts: ReadTexts, at: At, branches: Branches, earliest: Numbers
) -> tuple[Numbers, At]:
    """For each text the first branch from ``earliest`` on that reads it, and where that ends.

    The number of branches where none does.
    """
    took = np.full(len(at.rows), len(branches), np.int64)
    places, cursors = at.places.copy(), at.cursors.copy()
    left = np.arange(len(at.rows))
    for number, (steps, groups) in enumerate(branches):
        trying = left[earliest[left] <= number]
        if not len(trying):
            continue
        mine = at if len(trying) == len(at.rows) else at.of(trying)
        kept, after = read_all(steps, texts, mine)
        read = trying if kept is None else trying[kept]
        took[read], places[read], cursors[read] = number, after.places, after.cursors
        if len(read) < len(trying):
            left = np.flatnonzero(took == len(branches))
            texts.forget(groups, at.rows[left])
        else:
            left = left[earliest[left] > number]
        if not len(left):
            break
    return took, At(at.rows, places, cursors)


def read_all(steps: Sequence[Step], texts: ReadTexts, at: At) -> tuple[Numbers | None, At]:
    """Which of the texts all steps read (None: all), and where they end in those."""
    kept: Numbers | None = None
    for step in steps:
        found, at = step.read(texts, at)
        if found is None or found.all():
            continue
        here = np.flatnonzero(found)
        at = at.of(here)
        kept = here if kept is None else kept[here]
        if not len(here):
            break
    return kept, at
