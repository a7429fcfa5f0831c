"""Where the file of a segment is, told by its path: here, in quarantine, or in the cold bucket.

The id and all that the manifest says of a segment stay as they are wherever its file is moved.
"""

from tocsin.store.ports import Segment

QUARANTINE = "quarantine"
"""Folder below the store's for files that are not what was written; no query opens them."""
COLD = "cold"
"""Folder below the store's in which files from the bucket are kept for a while."""


def is_quarantined(segment: Segment) -> bool:
    return segment.path.startswith(f"{QUARANTINE}/")


def is_cold(segment: Segment) -> bool:
    return segment.path.startswith(f"{COLD}/")


def is_here(segment: Segment) -> bool:
    """True for a segment of which the only file is the one in its place."""
    return not is_quarantined(segment) and not is_cold(segment)


def moved_to(place: str, path: str) -> str:
    """The path in ``place`` of the segment that has (or had, before it was moved) this path."""
    return f"{place}/{moved_back(path)}"


def moved_back(path: str) -> str:
    """The path a segment has in its own place; the same when it is there."""
    return path.removeprefix(f"{QUARANTINE}/").removeprefix(f"{COLD}/")
