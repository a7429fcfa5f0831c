"""Merges small segments into larger ones: which, and how."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.store.engines.segment_file import (
    LAYOUT,
    VARIANTS,
    checksum,
    new_path,
    plain_schema,
    write_durably,
)
from tocsin.store.engines.variant_encoding import FieldNames
from tocsin.store.engines.variant_recoding import recoded
from tocsin.store.engines.variant_union import variant_column
from tocsin.store.ports import Segment

_TIERS = (4_000, 32_000, 256_000)
"""Segments below the same bound (and above the one before) are of similar size."""


@dataclass(frozen=True, slots=True)
class MergePlan:
    """Puts ``merge_at`` or more segments of similar size together, neighbors in time.

    Every event is so rewritten at most once a tier. A merged segment stays small enough to be
    held in memory while it is made.
    """

    merge_at: int = 8
    most_rows: int = 256_000
    most_bytes: int = 64_000_000

    def groups(self, segments: Sequence[Segment]) -> list[list[Segment]]:
        found: list[list[Segment]] = []
        below = 0
        for bound in _TIERS:
            tier = [
                segment
                for segment in sorted(segments, key=lambda segment: segment.first_time)
                if below <= segment.rows < bound and segment.path.startswith(LAYOUT)
            ]
            found += [group for group in self._cut(tier) if len(group) >= self.merge_at]
            below = bound
        return found

    def _cut(self, tier: list[Segment]) -> list[list[Segment]]:
        groups: list[list[Segment]] = []
        rows = size = 0
        for segment in tier:
            rows, size = rows + segment.rows, size + segment.size_bytes
            if not groups or rows > self.most_rows or size > self.most_bytes:
                groups.append([])
                rows, size = segment.rows, segment.size_bytes
            groups[-1].append(segment)
        return groups


def merge(folder: Path, group: Sequence[Segment]) -> Segment:
    """Write the events of all segments of ``group`` to one new file."""
    tables = [pq.ParquetFile(folder / segment.path).read() for segment in group]
    plain = plain_schema()
    table = pa.concat_tables([table.select(plain.names).cast(plain) for table in tables])
    for name in VARIANTS:
        names = FieldNames()
        parts = [recoded(chunk, names) for table in tables for chunk in table.column(name).chunks]
        table = table.append_column(name, variant_column(parts, names))
    del tables
    identifier, path = new_path()
    write_durably(folder / path, iter([table]), table.schema)
    return Segment(
        id=identifier,
        path=path.as_posix(),
        rows=table.num_rows,
        size_bytes=(folder / path).stat().st_size,
        first_time=min(segment.first_time for segment in group),
        last_time=max(segment.last_time for segment in group),
        sources=tuple(sorted({source for segment in group for source in segment.sources})),
        lanes=tuple(sorted({lane for segment in group for lane in segment.lanes})),
        checksum=checksum(folder / path),
        first_event_id=min(segment.first_event_id for segment in group),
        last_event_id=max(segment.last_event_id for segment in group),
    )
