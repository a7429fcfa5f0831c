"""Merges segments into larger ones, in which events of a lane lie together in order of time.

A lane with enough events gets a file of its own, the others share one. So a file has the columns
of one shape instead of those of all, which makes it smaller, quicker to write and to open, and
lets the manifest tell most searches which files can't hold what they look for.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tocsin.model.lane import Lane
from tocsin.store.engines.parquet.segment_facts import facts_of
from tocsin.store.engines.parquet.segment_file import (
    LAYOUT,
    VARIANTS,
    checksum,
    laid_out,
    layout_of,
    marked_fields,
    new_path,
    plain_schema,
    write_durably,
)
from tocsin.store.engines.parquet.segment_leaves import filled_leaves
from tocsin.store.engines.parquet.segment_parts import LanePart, lane_parts, whole_part
from tocsin.store.engines.parquet.segment_replay import Replay
from tocsin.store.engines.variant.variant_encoding import FieldNames
from tocsin.store.engines.variant.variant_recoding import recoded
from tocsin.store.engines.variant.variant_union import variant_column
from tocsin.store.ports import Damage, ReplayQuery, Segment, StateStore, StoreError

OWN_FILE_ROWS = 4_000
"""Events of a lane that are enough for a file of its own."""
MERGED_GROUP_ROWS = 65_536


def merge(
    folder: Path,
    state: StateStore,
    group: Sequence[Segment],
    own_file_rows: int = OWN_FILE_ROWS,
    *,
    pause: Callable[[], None] = lambda: None,
) -> list[Segment]:
    """Write the events of all segments of ``group`` to new files, in today's layout.

    A lane with ``own_file_rows`` events gets a file of its own, the others share one. All events
    are in memory meanwhile. ``pause`` is called after each piece of work.
    """
    of_lane = _by_lane(folder, state, group, pause)
    merged: list[Segment] = []
    together: list[LanePart] = []
    try:
        for lane in sorted(of_lane):  # what is written is let go before the next is put together
            table = _table(of_lane.pop(lane))
            if table.num_rows >= own_file_rows:
                merged.append(write_sorted(folder, table))
            else:
                together.append(whole_part(lane, table.take(_order(table)), plain_schema()))
            del table
            pause()
        if together:
            table = _table(together)
            merged.append(_written(folder, table, iter([table])))
    except BaseException:
        for one in merged:
            (folder / one.path).unlink(missing_ok=True)
        raise
    return merged


def _by_lane(
    folder: Path, state: StateStore, group: Sequence[Segment], pause: Callable[[], None]
) -> dict[str, list[LanePart]]:
    of_lane: dict[str, list[LanePart]] = defaultdict(list)
    for segment in group:
        for table in _tables(folder, state, segment):
            for part in lane_parts(table, plain_schema(), VARIANTS):
                of_lane[part.lane].append(part)
            pause()
    return of_lane


def _tables(folder: Path, state: StateStore, segment: Segment) -> Iterator[pa.Table]:
    """The events of a segment, without the leaves that are null in all of them.

    In this thread alone, slowly: the processors are for those who wait.
    """
    if layout_of(segment.path) != LAYOUT:
        yield _laid_out_anew(folder, state, segment)
        return
    with pq.ParquetFile(folder / segment.path) as file:
        asked = dict.fromkeys(file.schema_arrow.names)
        for group in range(file.metadata.num_row_groups):
            leaves = filled_leaves(file, group, asked)
            yield file.read_row_group(group, columns=leaves, use_threads=False)


def _laid_out_anew(folder: Path, state: StateStore, segment: Segment) -> pa.Table:
    """The table of a segment whose hot columns were others, as it would be written today."""

    def fail(damage: Damage) -> None:
        raise StoreError(f"{damage.reason}; nothing was merged")

    replay = Replay(folder, state, ReplayQuery(), _some_lane, fail)
    return laid_out(list(replay.batches([segment])))[0]


def _some_lane(lane_id: str) -> Lane:
    connector, _, shape = lane_id.partition(".")
    return Lane(connector, shape, product=connector)


def _table(parts: list[LanePart]) -> pa.Table:
    """All parts, one below the other. Events are large in memory: ``parts`` ends up empty."""
    table = pa.concat_tables([part.plain for part in parts])
    variants = {name: [part.variants[name] for part in parts] for name in VARIANTS}
    parts.clear()
    for name in VARIANTS:
        names = FieldNames()
        columns = [recoded(column, names) for column in variants.pop(name)]
        table = table.append_column(name, variant_column(columns, names))
    return table


def write_sorted(folder: Path, table: pa.Table) -> Segment:
    """Write the events of ``table`` (in storage layout), by lane and then by time, to a new file."""
    order = _order(table)
    groups = (
        table.take(order.slice(start, MERGED_GROUP_ROWS))
        for start in range(0, table.num_rows, MERGED_GROUP_ROWS)
    )
    return _written(folder, table, groups)


def _order(table: pa.Table) -> pa.Array:
    return pc.sort_indices(table, [("lane", "ascending"), ("time", "ascending")])


def _written(folder: Path, table: pa.Table, groups: Iterator[pa.Table]) -> Segment:
    """``groups`` are the events of ``table`` in the order to write them in."""
    identifier, path = new_path()
    write_durably(folder / path, groups, table.schema, MERGED_GROUP_ROWS)
    times = pc.min_max(table["time"]).as_py()
    ids = pc.min_max(table["event_id"]).as_py()
    return Segment(
        id=identifier,
        path=path.as_posix(),
        rows=table.num_rows,
        size_bytes=(folder / path).stat().st_size,
        first_time=times["min"].replace(tzinfo=UTC),
        last_time=times["max"].replace(tzinfo=UTC),
        sources=_names(table["source"]),
        lanes=_names(table["lane"]),
        checksum=checksum(folder / path),
        first_event_id=ids["min"],
        last_event_id=ids["max"],
        fields=marked_fields(table),
        facts=facts_of(table),
    )


def _names(column: pa.ChunkedArray) -> tuple[str, ...]:
    return tuple(sorted(pc.unique(column).to_pylist()))
