"""Says which segments are merged together: neighbors in time of similar size and the same lane."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tocsin.store.engines.parquet.segment_file import layout_of
from tocsin.store.ports import Segment

_TIERS = (4_000, 32_000, 256_000)
"""Segments below the same bound (and above the one before) are of similar size."""
_MIXED = ""
HeldBytes: TypeAlias = Callable[[Segment], int]


@dataclass(frozen=True, slots=True)
class MergePlan:
    """Puts ``merge_at`` or more segments of similar size together, neighbors in time.

    Segments of one lane go with others of that lane, those of several with their like. Fewer are
    enough where no further one would fit. So every event is rewritten at most once a tier, and
    what is merged stays small enough to be held in memory: ``most_held_bytes`` of events, half as
    much again to lay them out.
    """

    merge_at: int = 8
    most_rows: int = 512_000
    most_mixed_rows: int = 256_000
    most_bytes: int = 64_000_000
    most_held_bytes: int = 384_000_000

    def groups(self, segments: Sequence[Segment], held_bytes: HeldBytes) -> list[list[Segment]]:
        """``held_bytes`` says what the events of a segment take in memory."""
        alike: dict[tuple[str, int], list[Segment]] = defaultdict(list)
        for segment in sorted(segments, key=lambda one: (one.first_time, one.id)):
            tier = next((at for at, bound in enumerate(_TIERS) if segment.rows < bound), None)
            if tier is None or not _is_in_place(segment):
                continue
            if held_bytes(segment) < self.most_held_bytes // 2:
                lane = segment.lanes[0] if len(segment.lanes) == 1 else _MIXED
                alike[lane, tier].append(segment)
        return [
            group
            for (lane, _), some in sorted(alike.items())
            for group in self._cut(
                some, self.most_rows if lane else self.most_mixed_rows, held_bytes
            )
        ]

    def _cut(
        self, segments: list[Segment], most_rows: int, held_bytes: HeldBytes
    ) -> list[list[Segment]]:
        found: list[list[Segment]] = []
        group: list[Segment] = []
        rows = size = held = 0
        for segment in segments:
            of_this = held_bytes(segment)
            rows, size, held = rows + segment.rows, size + segment.size_bytes, held + of_this
            is_full = rows > most_rows or size > self.most_bytes or held > self.most_held_bytes
            if group and is_full:
                if len(group) > 1:
                    found.append(group)
                group, rows, size, held = [], segment.rows, segment.size_bytes, of_this
            group.append(segment)
        if len(group) >= self.merge_at:
            found.append(group)
        return found


def _is_in_place(segment: Segment) -> bool:
    """False for one whose file was moved elsewhere: it stays as it is."""
    return segment.path.startswith(f"{layout_of(segment.path)}-")
