"""When the rule files of some folders were changed last, told fast enough to be asked every few seconds."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

RULE_SUFFIXES = (".yml", ".yaml")

Stamps = dict[str, tuple[int, int]]
"""By path: when the file was changed, in ns, and its size."""


def stamps_of(paths: Sequence[Path]) -> Stamps:
    """Of every file that ``rule_files`` finds below ``paths``; what can't be looked at is left out."""
    found: Stamps = {}
    for path in paths:
        if path.is_dir():
            found.update(_below(str(path)))
        else:
            found.update(_stamp(str(path), path))
    return found


def _below(folder: str) -> Iterator[tuple[str, tuple[int, int]]]:
    try:
        entries = os.scandir(folder)
    except OSError:
        return
    folders = []
    with entries:
        for entry in entries:
            if entry.name.endswith(RULE_SUFFIXES):
                yield from _stamp(entry.path, entry)
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
    for inner in folders:
        yield from _below(inner)


def _stamp(place: str, file: Path | os.DirEntry[str]) -> Iterator[tuple[str, tuple[int, int]]]:
    try:
        facts = file.stat()
    except OSError:
        return
    if stat.S_ISREG(facts.st_mode):
        yield place, (facts.st_mtime_ns, facts.st_size)
