"""Finds the files that patterns name, and those beside a file that may hold what it held."""

import glob
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

_ENDINGS = (".gz", ".zst", ".zstd")
_NUMBERS = re.compile(r"(?:[._-]\d+)+$")
_KINDS = (".log", ".txt", ".json", ".jsonl", ".csv", ".out", ".err")


@dataclass(frozen=True, slots=True)
class There:
    """A regular file as it is now; ``changed`` is its size and when it was last written to."""

    path: Path
    identity: str
    size: int
    mtime_ns: int
    links: int = 1

    @property
    def changed(self) -> tuple[int, int]:
        return self.size, self.mtime_ns


def found(path: Path, told: os.stat_result) -> There:
    identity = f"{told.st_dev:x}:{told.st_ino:x}"
    return There(path, identity, told.st_size, told.st_mtime_ns, told.st_nlink)


def find_followed(patterns: Sequence[str], exclude: Sequence[str]) -> dict[str, There]:
    """Files by identity, in order of their paths; of several names for one the first."""
    named = {path for pattern in patterns for path in glob.iglob(pattern, recursive=True)}
    there: dict[str, There] = {}
    for name in sorted(named):
        if any(_is_meant(name, pattern) for pattern in exclude):
            continue
        one = look_at(Path(name))
        if one is not None:
            there.setdefault(one.identity, one)
    return there


def look_at(path: Path) -> There | None:
    """None for what is no regular file, or none any more."""
    try:
        told = path.stat()
    except OSError:
        return None
    return found(path, told) if stat.S_ISREG(told.st_mode) else None


def beside(path: Path) -> Iterator[There]:
    """Files in the same folder that are named like it."""
    try:
        names = os.listdir(path.parent)
    except OSError:
        return
    for name in names:
        if are_siblings(path.name, name):
            one = look_at(path.parent / name)
            if one is not None:
                yield one


def are_siblings(one: str, other: str) -> bool:
    """Names that rotation gives: ``a.log``, ``a.log.1``, ``a.log-20260101.gz``, ``a-1.log``."""
    first, second = _trunk(one), _trunk(other)
    return first.startswith(second) or second.startswith(first)


def shared_beginning(one: str, other: str) -> int:
    """How many characters two names have in common from the left."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _trunk(name: str) -> str:
    """The name without what rotation and packing put behind it, and without its kind."""
    for endings in (_ENDINGS, _KINDS):
        name = next((name.removesuffix(end) for end in endings if name.endswith(end)), name)
    name = _NUMBERS.sub("", name)
    return next((name.removesuffix(end) for end in _KINDS if name.endswith(end)), name)


def _is_meant(path: str, pattern: str) -> bool:
    return fnmatchcase(path if "/" in pattern else path.rpartition("/")[2], pattern)
