"""Parses the regular expressions that columns of bytes can be read with, a part of RE2's syntax.

Letters beyond ASCII are taken byte by byte; ``BETWEEN`` is in no class, so no part reads over it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Members = npt.NDArray[np.bool_]
BETWEEN = 0xFF
"""The byte between two texts; none of UTF-8."""
_FIRST_BEYOND_ASCII = 0x80
_LONGEST_UNROLLED = 8
_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d+)(,?)(\d*)\})(\??)")
_GROUP = re.compile(r"\(\?(?:P<(\w+)>|:)")
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_DIGITS, _SPACES = "0123456789", "\t\n\f\r "
_WORDS = _DIGITS + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
_CLASSES = {"d": _DIGITS, "s": _SPACES, "w": _WORDS}


class Unreadable(Exception):
    """The expression says something that only RE2 can read."""


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """These bytes."""

    wanted: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Bytes of a class, at least ``least``; ``most`` is None or, beyond one, of ASCII alone."""

    members: Members
    least: int = 1
    most: int | None = 1
    is_lazy: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """Where a group begins or ends."""

    group: str
    is_end: bool


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """The end of the text."""


@dataclass(frozen=True, slots=True, eq=False)
class WordEdge:
    """An edge of a word."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One of these, earlier ones rather; ``groups`` are those within."""

    branches: tuple[tuple["Part", ...], ...]

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(name for branch in self.branches for name in groups_of(branch))


@dataclass(frozen=True, slots=True, eq=False)
class Star:
    """These over and over, as often as may be; there is no group within."""

    inner: tuple["Part", ...]


Part = Text | Run | Mark | End | WordEdge | Choice | Star


@dataclass(frozen=True, slots=True)
class Parsed:
    """An expression; ``is_anchored`` where it must begin at a text's beginning."""

    parts: tuple[Part, ...]
    is_anchored: bool
    groups: tuple[str, ...]


def parse_regex(regex: str) -> Parsed:
    """The parts of an expression RE2 takes; raises ``Unreadable``."""
    reader = _Reader(regex)
    parts = reader.whole()
    return Parsed(parts, reader.is_anchored, groups_of(parts))


def groups_of(parts: Sequence[Part]) -> tuple[str, ...]:
    """The names of the groups in the order in which they open."""
    names: list[str] = []
    for part in parts:
        if isinstance(part, Mark) and not part.is_end:
            names.append(part.group)
        elif isinstance(part, Choice):
            names += part.groups
    return tuple(names)


class _Reader:
    def __init__(self, regex: str) -> None:
        self.is_anchored = False
        self._dot_is_all = regex.startswith("(?s)")
        self._left = regex.removeprefix("(?s)")

    def whole(self) -> tuple[Part, ...]:
        if self._left.startswith("^"):
            self.is_anchored = True
            self._left = self._left[1:]
        branches = self._branches()
        if self._left or (len(branches) > 1 and self.is_anchored):
            raise Unreadable
        return branches[0] if len(branches) == 1 else (Choice(tuple(branches)),)

    def _branches(self) -> list[tuple[Part, ...]]:
        branches = [self._sequence()]
        while self._left.startswith("|"):
            self._left = self._left[1:]
            branches.append(self._sequence())
        return branches

    def _sequence(self) -> tuple[Part, ...]:
        parts: list[Part] = []
        while self._left and self._left[0] not in "|)":
            found = self._repeated(self._one())
            if parts and len(found) == 1 and isinstance(found[0], Text):
                last = parts[-1]
                if isinstance(last, Text):
                    parts[-1] = Text(last.wanted + found[0].wanted)
                    continue
            parts += found
        return tuple(parts)

    def _taken(self, count: int) -> str:
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def _one(self) -> tuple[Part, ...]:
        letter = self._taken(1)
        if letter == "(":
            return self._group()
        if letter == "[":
            return (Run(self._class()),)
        if letter == ".":
            return (Run(_all_but("" if self._dot_is_all else "\n")),)
        if letter == "$":
            return (End(),)
        if letter == "\\":
            return (self._escaped(),)
        if letter in "^*+?{":
            raise Unreadable
        return (Text(letter.encode()),)

    def _escaped(self) -> Part:
        letter = self._taken(1)
        if letter == "b":
            return WordEdge()
        if letter.lower() in _CLASSES:
            return Run(_named(letter))
        return Text(_plain(letter).encode())

    def _group(self) -> tuple[Part, ...]:
        opened = _GROUP.match("(" + self._left)
        if opened is None:
            raise Unreadable
        self._taken(opened.end() - 1)
        branches = self._branches()
        if self._taken(1) != ")":
            raise Unreadable
        inner = branches[0] if len(branches) == 1 else (Choice(tuple(branches)),)
        name = opened.group(1)
        if name is None:
            return inner
        return (Mark(name, is_end=False), *inner, Mark(name, is_end=True))

    def _class(self) -> Members:
        is_negated = self._left.startswith("^")
        if is_negated:
            self._taken(1)
        members = np.zeros(256, np.bool_)
        while True:
            letter = self._taken(1)
            if letter in ("", "["):
                raise Unreadable
            if letter == "]":
                break
            if letter == "\\":
                letter = self._taken(1)
                if letter.lower() in _CLASSES:
                    members |= _named(letter)
                    continue
                letter = _plain(letter)
            members |= _range(letter, self._last_of(letter))
        if not members.any():
            raise Unreadable
        if is_negated:
            members = ~members
            members[BETWEEN] = False
        return members

    def _last_of(self, first: str) -> str:
        if not self._left.startswith("-") or self._left.startswith("-]"):
            return first
        self._taken(1)
        last = self._taken(1)
        return _plain(self._taken(1)) if last == "\\" else last

    def _repeated(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        found = _QUANTIFIER.match(self._left)
        if found is None:
            return parts
        self._taken(found.end())
        sign, low, comma, high, lazy = found.groups()
        if sign:
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        else:
            least = int(low)
            most = least if not comma else int(high) if high else None
        if self._left[:1] in ("*", "+", "?", "{") and self._left:
            raise Unreadable
        return _times(parts, least, most, is_lazy=bool(lazy))


def _times(
    parts: tuple[Part, ...], least: int, most: int | None, *, is_lazy: bool
) -> tuple[Part, ...]:
    single = _as_run(parts)
    if single is not None:
        is_ascii = not single.members[_FIRST_BEYOND_ASCII:].any()
        if not is_ascii and (least > 1 or most not in (None, 1)):
            raise Unreadable
        return (replace(single, least=least, most=most, is_lazy=is_lazy),)
    if (least, most) == (0, 1):
        return (Choice(((), parts) if is_lazy else (parts, ())),)
    if is_lazy or groups_of(parts):
        raise Unreadable
    if least == most and 0 < least <= _LONGEST_UNROLLED:
        return parts * least
    if most is not None or least > 1:
        raise Unreadable
    return (*(parts if least else ()), *_over_and_over(parts))


def _as_run(parts: tuple[Part, ...]) -> Run | None:
    """A class of bytes, where the parts are nothing else."""
    if len(parts) != 1:
        return None
    part = parts[0]
    if isinstance(part, Run):
        return part if (part.least, part.most) == (1, 1) else None
    if isinstance(part, Text) and len(part.wanted) == 1:
        return Run(_range(part.wanted.decode(), part.wanted.decode()))
    return None


def _over_and_over(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """``(?:c|x)*`` is the same as ``c*(?:xc*)*``, which is read in whole runs of the class ``c``."""
    if len(parts) == 1 and isinstance(parts[0], Choice):
        first, *others = parts[0].branches
        run = _as_run(first)
        if run is not None and others:
            run = replace(run, least=0, most=None)
            left = others[0] if len(others) == 1 else (Choice(tuple(others)),)
            return (run, Star((*left, run)))
    return (Star(parts),)


def _plain(letter: str) -> str:
    if letter in _ESCAPED:
        return _ESCAPED[letter]
    if not letter or letter.isalnum():
        raise Unreadable
    return letter


def _named(letter: str) -> Members:
    if letter.isupper():
        return _all_but(_CLASSES[letter.lower()])
    members = np.zeros(256, np.bool_)
    members[list(_CLASSES[letter].encode())] = True
    return members


def _all_but(letters: str) -> Members:
    members = np.ones(256, np.bool_)
    members[[*letters.encode(), BETWEEN]] = False
    return members


def _range(first: str, last: str) -> Members:
    if not (first.isascii() and last.isascii() and first and last) or first > last:
        raise Unreadable
    members = np.zeros(256, np.bool_)
    members[ord(first) : ord(last) + 1] = True
    return members
