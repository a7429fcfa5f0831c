"""Reads text columns with expressions of many groups, all texts at once, where RE2 takes them one by one.

What is read is what RE2 would read: the first way in the order of its choices. Expressions and
texts that cannot be read so are left to RE2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from tocsin.normalize.regex_parts import (
    BETWEEN,
    Choice,
    End,
    Mark,
    Members,
    Parsed,
    Part,
    Run,
    Star,
    Text,
    Unreadable,
    WordEdge,
    groups_of,
    parse_regex,
)
from tocsin.normalize.regex_steps import (
    NoteGroup,
    ReadEither,
    ReadOne,
    ReadOver,
    ReadRun,
    ReadText,
    SeeEnd,
    SeeOne,
    SeeWordEdge,
    Step,
)
from tocsin.normalize.regex_text import Lead, ReadTexts
from tocsin.normalize.regex_ways import (
    EitherThen,
    Matched,
    OneOf,
    Rest,
    RunThen,
    Then,
    read_from_text,
)

_BROAD = 24
"""A class is broad when no more bytes of ASCII than so many, and blanks, are not in it."""
_FIRST_BEYOND_ASCII, _LAST_CONTROL = 0x80, 32
_ANY = np.ones(256, np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class RegexReader:
    """An expression ready to read columns."""

    rest: Rest
    leads: bytes
    """What it begins with, as far as that is always the same."""
    is_anchored: bool
    """Whether it must begin at a text's beginning."""
    is_mark: Members
    groups: tuple[str, ...]

    def read(self, texts: pa.StringArray) -> ReadTexts:
        """Where it reads the texts, none of which is null."""
        found = ReadTexts(texts, self.is_mark, self.groups)
        if self.is_anchored:
            self.rest.read(found, found.all_from(np.arange(len(texts)), found.starts))
        else:
            read_from_text(self.rest, self.leads, found, self.groups)
        return found


@lru_cache(maxsize=4096)
def regex_reader(regex: str) -> RegexReader | None:
    """A reader for the expression; None when it says something that only RE2 can read."""
    try:
        parsed = parse_regex(regex)
        return _Compiler(parsed).reader()
    except Unreadable:
        return None


class _Compiler:
    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed
        self._is_mark = _marks_of(parsed.parts)

    def reader(self) -> RegexReader:
        parsed = self._parsed
        leads = _beginning(parsed.parts)
        if not leads and not parsed.is_anchored:
            raise Unreadable
        rest = self._rest(parsed.parts, _ANY, Matched(), ())
        return RegexReader(rest, leads, parsed.is_anchored, self._is_mark, parsed.groups)

    def _rest(
        self, parts: Sequence[Part], after: Members, then: Rest, later: tuple[str, ...]
    ) -> Rest:
        """What reads the parts and then the rest: it begins with ``after``, has groups ``later``."""
        steps: list[Step] = []
        for number, part in enumerate(parts):
            others = parts[number + 1 :]
            follow = _first_of(others, after)
            step = self._step(part, follow)
            if step is None:
                own = self._rest(others, after, then, later)
                lead = _lead(others, after)
                rest = self._fork(part, lead, follow, own, (*groups_of(others), *later))
                return Then(tuple(steps), rest) if steps else rest
            steps.append(step)
        return Then(tuple(steps), then) if steps else then

    def _step(self, part: Part, follow: Members) -> Step | None:
        """The step that reads a part; None when there is more than one way to."""
        match part:
            case Text():
                count = int(np.count_nonzero(self._is_mark[list(part.wanted)]))
                return ReadText(part.wanted, count)
            case Mark():
                return NoteGroup(part.group, part.is_end)
            case End():
                return SeeEnd()
            case WordEdge():
                return SeeWordEdge()
            case Run():
                return self._run(part, follow)
            case Choice():
                return self._choice(part, follow)
            case Star():
                first = _first_of(part.inner, follow)
                steps = self._steps(part.inner, follow | first)
                if steps is None or (first & follow).any():
                    raise Unreadable
                return ReadOver(steps)

    def _steps(self, parts: Sequence[Part], after: Members) -> tuple[Step, ...] | None:
        steps: list[Step] = []
        for number, part in enumerate(parts):
            step = self._step(part, _first_of(parts[number + 1 :], after))
            if step is None:
                return None
            steps.append(step)
        return tuple(steps)

    def _run(self, part: Run, follow: Members) -> Step | None:
        if part.least == part.most == 1:
            return ReadOne(part.members, bool((part.members & self._is_mark).any()))
        if part.least != part.most and (part.members & follow).any():
            return None
        return ReadRun(part.members, part.least, part.most, self._is_broad(part.members))

    def _is_broad(self, members: Members) -> bool:
        return _is_broad(members) and bool(self._is_mark[~members & _IS_BYTE].all())

    def _choice(self, part: Choice, follow: Members) -> Step | None:
        seen = np.zeros(256, np.bool_)
        branches: list[tuple[tuple[Step, ...], tuple[str, ...]]] = []
        for branch in part.branches:
            first = _first_of(branch, follow)
            steps = self._steps(branch, follow)
            if steps is None or (first & seen).any():
                return None
            seen |= first
            if not (branch is part.branches[-1] or _reads_something(branch)):
                steps = (SeeOne(first), *steps)  # else it would be taken, empty, for a later one
            branches.append((steps, groups_of(branch)))
        return ReadEither(tuple(branches))

    def _fork(
        self,
        part: Part,
        lead: Lead | None,
        follow: Members,
        rest: Rest,
        later: tuple[str, ...],
    ) -> Rest:
        if isinstance(part, Run):
            if part.most is not None and part.most > 1:
                raise Unreadable
            if part.most == 1:
                one: tuple[Part, ...] = (Run(part.members),)
                part = Choice(((), one) if part.is_lazy else (one, ()))
            else:
                if lead is not None and len(lead.text) == 1 and not part.is_lazy:
                    lead = None  # looked for from the far end one byte is soon found
                is_broad = self._is_broad(part.members)
                return RunThen(
                    part.members, part.least, part.is_lazy, is_broad, follow, lead, later, rest
                )
        if not isinstance(part, Choice):
            raise Unreadable
        groups = (*part.groups, *later)
        simple = [(self._steps(branch, follow), groups_of(branch)) for branch in part.branches]
        sound = [(steps, within) for steps, within in simple if steps is not None]
        if len(sound) == len(simple):
            return EitherThen(tuple(sound), groups, rest)
        ways = tuple(self._rest(branch, follow, rest, later) for branch in part.branches)
        return OneOf(ways, groups)


_IS_BYTE = np.arange(256) < _FIRST_BEYOND_ASCII


def _first_of(parts: Sequence[Part], after: Members) -> Members:
    """The bytes that the parts, or what comes after them, may begin with."""
    first = after
    for part in reversed(parts):
        match part:
            case Text():
                first = _only(part.wanted[0])
            case End():
                first = _only(BETWEEN)
            case Run():
                first = part.members if part.least else part.members | first
            case Choice():
                choices = [_first_of(branch, first) for branch in part.branches]
                first = np.logical_or.reduce(choices)
            case Star():
                first = _first_of(part.inner, first) | first
            case _:
                pass
    return first


def _beginning(parts: Sequence[Part]) -> bytes:
    """The text that the parts begin with."""
    told = b""
    for part in parts:
        if isinstance(part, Text):
            told += part.wanted
        elif not isinstance(part, Mark):
            break
    return told


def _lead(parts: Sequence[Part], after: Members) -> Lead | None:
    """What the parts begin with, where that is a text, perhaps after one byte of a class."""
    before: Members | None = None
    for number, part in enumerate(parts):
        if isinstance(part, Text):
            return Lead(part.wanted, _first_of(parts[number + 1 :], after), before)
        if isinstance(part, Run) and (part.least, part.most) == (0, 1) and before is None:
            before = part.members
        elif not isinstance(part, Mark):
            break
    return None


def _reads_something(parts: Sequence[Part]) -> bool:
    """False where the parts may be empty."""
    nothing = np.zeros(256, np.bool_)
    return not (_first_of(parts, _ANY) & ~_first_of(parts, nothing)).any()


def _only(byte: int) -> Members:
    members = np.zeros(256, np.bool_)
    members[byte] = True
    return members


def _marks_of(parts: Sequence[Part]) -> Members:
    """The bytes that end the broad classes."""
    marks = _only(BETWEEN)
    for part in parts:
        match part:
            case Run() if part.most is None and _is_broad(part.members):
                marks |= ~part.members & _IS_BYTE
            case Choice():
                for branch in part.branches:
                    marks |= _marks_of(branch)
            case Star():
                marks |= _marks_of(part.inner)
            case _:
                pass
    if marks[: _LAST_CONTROL + 1].any():
        marks[: _LAST_CONTROL + 1] = True
    return marks


def _is_broad(members: Members) -> bool:
    return int(np.count_nonzero(~members[_LAST_CONTROL + 1 : _FIRST_BEYOND_ASCII])) <= _BROAD
