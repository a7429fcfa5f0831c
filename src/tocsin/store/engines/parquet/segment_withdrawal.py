"""Rewrites segments without some of their events, which go on living elsewhere."""

from collections.abc import Callable, Collection
from datetime import UTC
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tocsin.store.engines.parquet.segment_facts import facts_of
from tocsin.store.engines.parquet.segment_file import (
    LAYOUT,
    checksum,
    layout_of,
    new_path,
    write_durably,
)
from tocsin.store.ports import Segment


def without(
    folder: Path, segment: Segment, goes: Callable[[pa.Table], pa.ChunkedArray]
) -> Segment | None:
    """A new file with the other events of ``segment``; None when there are none.

    ``goes`` is true for each row that goes. The columns stay as they are encoded: only rows go.
    """
    table = pq.ParquetFile(folder / segment.path).read()
    kept = table.filter(pc.invert(goes(table)))
    if not kept.num_rows:
        return None
    layout = layout_of(segment.path)
    identifier, path = new_path(layout)
    write_durably(folder / path, iter([kept]), kept.schema)
    times = pc.min_max(kept["time"]).as_py()
    ids = pc.min_max(kept["event_id"]).as_py()
    return Segment(
        id=identifier,
        path=path.as_posix(),
        rows=kept.num_rows,
        size_bytes=(folder / path).stat().st_size,
        first_time=times["min"].replace(tzinfo=UTC),
        last_time=times["max"].replace(tzinfo=UTC),
        sources=_names(kept["source"]),
        lanes=_names(kept["lane"]),
        checksum=checksum(folder / path),
        first_event_id=ids["min"],
        last_event_id=ids["max"],
        facts=facts_of(kept) if layout == LAYOUT else b"",
    )


def holds_any(folder: Path, segment: Segment, event_ids: Collection[str]) -> bool:
    """True when one of the events is in ``segment``."""
    column = pq.ParquetFile(folder / segment.path).read(["event_id"])["event_id"]
    return bool(pc.any(_among(column, event_ids)).as_py())


def among(event_ids: Collection[str]) -> Callable[[pa.Table], pa.ChunkedArray]:
    """Says which rows of a table are of these events."""
    return lambda table: _among(table["event_id"], event_ids)


def _among(column: pa.ChunkedArray, event_ids: Collection[str]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array(sorted(event_ids), pa.string()))


def _names(column: pa.ChunkedArray) -> tuple[str, ...]:
    return tuple(sorted(pc.unique(column.cast(pa.string())).to_pylist()))
