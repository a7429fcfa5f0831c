"""Cuts the time that segments span into slices of about as many events each."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

Span = tuple[int, int, int]
"""First and last time of a segment in microseconds, and how many of its events are meant."""


def slice_edges(spans: Iterable[Span], most: int) -> list[int]:
    """Where to cut, in order: between two cuts lie about ``most`` events.

    Events are taken to be spread evenly over their segment; what happened in one microsecond
    stays together.
    """
    changes: dict[int, float] = defaultdict(float)
    for first, last, events in spans:
        a_microsecond = events / (last - first + 1)
        changes[first] += a_microsecond
        changes[last + 1] -= a_microsecond
    cuts: list[int] = []
    held = density = 0.0
    for start, end in pairwise(sorted(changes)):
        density = max(0.0, density + changes[start])
        at = start
        while density and held + density * (end - at) > most:
            step = int((most - held) / density)
            if step < 1 and held:
                step = 0
            elif at + max(1, step) >= end:
                break
            at += step if held else max(1, step)
            cuts.append(at)
            held = 0.0
        held += density * (end - at)
    return cuts
