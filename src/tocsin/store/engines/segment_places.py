"""Where the file of a segment is, told by its path: here, in quarantine, or in the cold bucket.

The id and all that the manifest says of a segment stay as they are wherever its file is moved.
"""

from pathlib import PurePosixPath

from tocsin.store.ports import Segment

QUARANTINE = "quarantine"
"""Folder below the store's for files that are not what was written; no query opens them."""
COLD = "cold"
"""Folder below the store's in which files from the bucket are kept for a while."""


def is_quarantined(segment: Segment) -> bool:
    return _folder(segment.path) == QUARANTINE


def is_cold(segment: Segment) -> bool:
    return _folder(segment.path) == COLD


def is_here(segment: Segment) -> bool:
    """True for a segment of which the only file is the one in its place."""
    return _folder(segment.path) not in (QUARANTINE, COLD)


def moved_to(place: str, path: str) -> str:
    """The path in ``place`` of the segment that has (or had, before it was moved) this path."""
    at = PurePosixPath(moved_back(path))
    return f"{place}/{at.parent.name}.{at.name}"


def moved_back(path: str) -> str:
    """The path a segment has in its own place; the same when it is there."""
    at = PurePosixPath(path)
    if at.parent.name not in (QUARANTINE, COLD):
        return path
    folder, _, name = at.name.partition(".")
    return f"{folder}/{name}"


def _folder(path: str) -> str:
    return PurePosixPath(path).parent.name
