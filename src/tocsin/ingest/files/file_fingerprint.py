"""Tells by a file's content whether it is the one that was read before, up to where it was read."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

ReadAt = Callable[[int, int], bytes]
"""So many bytes from there on; fewer at the end of the content."""
HEAD_BYTES = 1024
TAIL_BYTES = 256


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Of the bytes before ``offset``: the first 1,024 of them and the last 256.

    So a file that was renamed or copied is known again, and one that was emptied and written anew
    is told from one that has grown, even where it begins with the same header or has the size it
    had.
    """

    offset: int = 0
    head: str = ""
    tail: str = ""

    def fits(self, read: ReadAt) -> bool:
        """True when the content begins with what was read before; what is empty fits all."""
        return self == fingerprint(read, self.offset)

    def fits_head(self, head: bytes) -> bool:
        """True when content that begins with ``head`` may be it."""
        return digest(head[: min(HEAD_BYTES, self.offset)]) == self.head


def fingerprint(read: ReadAt, offset: int) -> Fingerprint:
    """Of what lies before ``offset``."""
    if not offset:
        return Fingerprint()
    at = max(0, offset - TAIL_BYTES)
    head, tail = read(min(HEAD_BYTES, offset), 0), read(offset - at, at)
    if len(tail) < offset - at:
        return Fingerprint(-1)
    return Fingerprint(offset, digest(head), digest(tail))


def digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def begins_alike(one: ReadAt, other: ReadAt, size: int) -> bool:
    """True when the first and the last of the first ``size`` bytes are the same in both."""
    return fingerprint(one, size) == fingerprint(other, size)
