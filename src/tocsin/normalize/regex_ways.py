"""Reading on where a text may be read in several ways: tried in RE2's order until all of it fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tocsin.normalize.regex_parts import Members
from tocsin.normalize.regex_steps import Branches, Step, read_all, read_first
from tocsin.normalize.regex_text import At, Flags, Lead, Numbers, ReadTexts


class Rest(Protocol):
    """Everything that is yet to be read of an expression."""

    def read(self, texts: ReadTexts, at: At) -> Flags:
        """Which of the texts it reads, in the first way that does."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """Nothing is left to be read."""

    def read(self, texts: ReadTexts, at: At) -> Flags:
        texts.matched[at.rows] = True
        return np.ones(len(at.rows), np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Then:
    """Steps with one way each, then the rest."""

    steps: tuple[Step, ...]
    rest: Rest

    def read(self, texts: ReadTexts, at: At) -> Flags:
        count = len(at.rows)
        kept, after = read_all(self.steps, texts, at)
        if kept is None:
            return self.rest.read(texts, after)
        read = np.zeros(count, np.bool_)
        if len(kept):
            read[kept] = self.rest.read(texts, after)
        return read


@dataclass(frozen=True, slots=True, eq=False)
class EitherThen:
    """A branch of several, earlier ones rather, and another where the rest does not follow."""

    branches: Branches
    groups: tuple[str, ...]
    """Within, and later."""
    rest: Rest

    def read(self, texts: ReadTexts, at: At) -> Flags:
        read = np.zeros(len(at.rows), np.bool_)
        left = np.arange(len(at.rows))
        earliest = np.zeros(len(at.rows), np.int64)
        while len(left) and texts.has_patience(at.of(left)):
            took, after = read_first(texts, at.of(left), self.branches, earliest[left])
            found = np.flatnonzero(took < len(self.branches))
            if not len(found):
                break
            fits = self.rest.read(texts, after.of(found))
            read[left[found[fits]]] = True
            again = found[~fits]
            earliest[left[again]] = took[again] + 1
            left = left[again]
            texts.forget(self.groups, at.rows[left])
        return read


@dataclass(frozen=True, slots=True, eq=False)
class OneOf:
    """Several ways to the end, earlier ones rather."""

    ways: tuple[Rest, ...]
    groups: tuple[str, ...]
    """Within, and later."""

    def read(self, texts: ReadTexts, at: At) -> Flags:
        read = np.zeros(len(at.rows), np.bool_)
        left = np.arange(len(at.rows))
        for way in self.ways:
            if not len(left) or not texts.has_patience(at.of(left)):
                break
            texts.forget(self.groups, at.rows[left])
            found = way.read(texts, at.of(left))
            read[left[found]] = True
            left = left[~found]
        return read


@dataclass(frozen=True, slots=True, eq=False)
class RunThen:
    """Bytes of a class, as many as let the rest follow: as few as may be, or as many.

    The rest begins with ``follow`` and, where that is known, as ``lead`` says.
    """

    members: Members
    least: int
    is_lazy: bool
    is_broad: bool
    follow: Members
    lead: Lead | None
    groups: tuple[str, ...]
    """Later ones."""
    rest: Rest

    def read(self, texts: ReadTexts, at: At) -> Flags:
        read = np.zeros(len(at.rows), np.bool_)
        stops = texts.past(self.members, at, is_broad=self.is_broad).places
        firsts = at.places + self.least
        left = np.flatnonzero(stops >= firsts)
        if self.members[0x80] and self.least and len(left):
            texts.mind_letters(At(at.rows[left], firsts[left], at.cursors[left]))
        places = firsts[left] if self.is_lazy else stops[left]
        while len(left) and texts.has_patience(at.of(left)):
            places = self._next(texts, places, stops[left])
            inside = (places >= firsts[left]) & (places <= stops[left])
            left, places = left[inside], places[inside]
            if not len(left):
                break
            here = texts.all_from(at.rows[left], places)
            if self.members[0x80]:
                texts.mind_letters(here)
            fits = self.rest.read(texts, here)
            read[left[fits]] = True
            left = left[~fits]
            places = places[~fits] + (1 if self.is_lazy else -1)
            texts.forget(self.groups, at.rows[left])
        return read

    def _next(self, texts: ReadTexts, places: Numbers, stops: Numbers) -> Numbers:
        """From these places on, or back, the first at which the rest may begin; else outside."""
        if self.lead is not None:
            return self._next_text(texts.places_of_lead(self.lead), places)
        on = 1 if self.is_lazy else -1
        places = places.copy()
        going = np.flatnonzero(~self.follow.take(texts.data.take(places, mode="clip")))
        while len(going):
            places[going] += on
            going = going[(places[going] >= 0) & (places[going] <= stops[going])]
            going = going[~self.follow.take(texts.data.take(places[going]))]
        return places

    def _next_text(self, found: Numbers, places: Numbers) -> Numbers:
        if self.is_lazy:
            at = np.searchsorted(found, places)
            none, clipped = at == len(found), np.minimum(at, len(found) - 1)
        else:
            at = np.searchsorted(found, places, "right") - 1
            none, clipped = at < 0, np.maximum(at, 0)
        if not len(found):
            return np.full(len(places), -1, np.int64)
        return np.where(none, -1, found[clipped])


def read_from_text(rest: Rest, wanted: bytes, texts: ReadTexts, groups: Sequence[str]) -> None:
    """Read each text from the first place on that ``wanted`` is at and all else fits."""
    found = texts.places_of(wanted)
    if not len(found):
        return
    rows = np.arange(len(texts.starts))
    at = np.searchsorted(found, texts.starts)
    while len(rows):
        here = found.take(at, mode="clip")
        is_here = (at < len(found)) & (here < texts.ends[rows])
        rows, at, here = rows[is_here], at[is_here], here[is_here]
        if not len(rows):
            return
        begun = texts.all_from(rows, here)
        if not texts.has_patience(begun):
            return
        texts.forget(groups, rows)
        fits = rest.read(texts, begun)
        rows, at = rows[~fits], at[~fits] + 1
