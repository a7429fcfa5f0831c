"""How much correlation may remember, and what it says of what it holds."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of each rule's memory; beyond them the largest groups lose their oldest entries.

    ``lateness`` is how far behind the watermark an event may come and still be counted; None:
    nothing is ever late (files of the past, read once). ``idle`` is how long a source may be
    silent before it no longer holds up others; ``ahead`` how far a clock may run before its
    times no longer move the watermark.
    """

    entries: int = 1_000_000
    groups: int = 1_000_000
    lateness: timedelta | None = timedelta(hours=1)
    idle: timedelta = timedelta(seconds=60)
    ahead: timedelta = timedelta(minutes=5)
    members: int = 100
    """Members of arrays an event is taken for, as groups and as values; further ones are left out."""


@dataclass(frozen=True, slots=True)
class StateCounts:
    """What a rule holds now, and what it had to leave out since it was made.

    ``size_bytes`` is the memory of its entries, groups and episodes. ``late`` events came too
    long after the watermark; ``evicted`` entries made room; ``ungrouped`` events had no value
    in a group-by field (or no number, no value to measure).
    """

    groups: int = 0
    entries: int = 0
    size_bytes: int = 0
    episodes: int = 0
    late: int = 0
    evicted: int = 0
    ungrouped: int = 0
