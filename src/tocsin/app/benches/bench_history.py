"""Makes a store of as many events as wanted, fast: a sample day's segments again and again.

The sample company's day is taken in once, by all rooms; what a lane's segment is like is thereby
as real as that day. Every further copy gets times, intake and ids of its own, and other digits in
what differs from event to event (command lines, addresses of requests, unique ids …), so that it
takes as much room as it would. Segments are written by what merging writes them with.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tocsin.app.benches.bench_ingest import settings_in, split
from tocsin.app.benches.bench_traffic import Traffic, bodies
from tocsin.app.wiring import open_tocsin
from tocsin.model.identifier import event_id_column
from tocsin.store.engines.parquet.segment_merge import merge, write_sorted
from tocsin.store.engines.state import manifest
from tocsin.store.engines.state.sqlite_state import SqliteState

DAYS = 30
NEEDLE = "zq7needle"
"""A word that is in one command line of a store."""
_SAMPLE_EVENTS = 200_000
_SEGMENT_ROWS = 400_000
_OWN_FILE_ROWS = 100
_ENTRY_ROWS = 1_000
_VARIED_SHARE = 0.25
"""Texts differ from copy to copy in columns that have so many distinct values an event."""
_ENVELOPE = frozenset({"event_id", "time", "ingested_at", "tenant", "source", "lane"})
_NEEDLE_LANE = "windows.process_creation"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Progress = Callable[[int], None]
Moments = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Copies:
    """Where each copy of the sample lies in time (microseconds since 1970)."""

    start: int
    span: int
    number: int

    def moments(self, sample: Moments, copy: int) -> Moments:
        """The sample's times, of one day, squeezed into the time of a copy."""
        width = self.span // self.number
        scaled = sample.astype(np.float64) * (width / timedelta(days=1).total_seconds() / 1e6)
        return self.start + copy * width + scaled.astype(np.int64)


def made_history(folder: Path, events: int, on_progress: Progress) -> Path:
    """A data folder with about ``events`` events of the last thirty days; made if it is not there.

    ``on_progress`` is told how many events there are so far.
    """
    home = folder / f"house-{events}"
    if (home / "complete").is_file():
        return home
    sample = _sample(folder)
    paths = sorted((sample / "merged").glob("*/*.parquet"))
    rows = sum(pq.read_metadata(path).num_rows for path in paths)
    number = max(1, round(events / rows))
    span = timedelta(days=DAYS) // timedelta(microseconds=1)
    start = (datetime.now(UTC) - _EPOCH) // timedelta(microseconds=1) - span
    copies = _Copies(start, span, number)
    state = SqliteState(home / "state.sqlite")
    made = 0
    try:
        _copy_fields(sample, state)
        for path in paths:
            for table in _tables(path, copies):
                merged = write_sorted(home / "events", table)
                with state.begin() as tx:
                    manifest.add(tx, merged)
                made += table.num_rows
                on_progress(made)
    finally:
        state.close()
    (home / "complete").touch()
    return home


def _sample(folder: Path) -> Path:
    """The sample day as merged segments, one a lane, in ``folder/sample/merged``."""
    home = folder / "sample"
    if (home / "complete").is_file():
        return home
    house = open_tocsin(settings_in(home, None))
    try:
        for batch in split(bodies(Traffic.DAY, _SAMPLE_EVENTS)):
            house.spool.append([batch])
        while house.flow.turn():
            pass
        events = home / "events"
        for one in merge(events, house.state, house.events.segments(None, None), _OWN_FILE_ROWS):
            at = home / "merged" / one.path
            at.parent.mkdir(parents=True, exist_ok=True)
            (events / one.path).replace(at)
    finally:
        house.close()
    (home / "complete").touch()
    return home


def _copy_fields(sample: Path, state: SqliteState) -> None:
    known = SqliteState(sample / "state.sqlite")
    try:
        with known.read() as tx:
            fields = manifest.fields(tx)
    finally:
        known.close()
    with state.begin() as tx:
        manifest.add_fields(tx, fields - manifest.fields(tx), frozenset())


def _tables(path: Path, copies: _Copies) -> Iterator[pa.Table]:
    """Tables of about ``_SEGMENT_ROWS`` rows with the events of all copies, in order of time."""
    sample = pq.ParquetFile(path).read().sort_by("time").combine_chunks()
    moments = sample["time"].cast(pa.int64()).to_numpy()
    moments = moments - moments.min()
    together = max(1, _SEGMENT_ROWS // sample.num_rows)
    varied = [name for name in sample.schema.names if name not in _ENVELOPE]
    lanes = pc.unique(sample["lane"]).to_pylist()
    for first in range(0, copies.number, together):
        some = range(first, min(first + together, copies.number))
        parts = [
            _copy(sample, copies.moments(moments, copy), varied, copy, f"{path.stem}")
            for copy in some
        ]
        table = pa.concat_tables(parts)
        if _NEEDLE_LANE in lanes and copies.number // 2 in some:
            table = _with_needle(table)
        yield table


def _copy(sample: pa.Table, moments: Moments, varied: list[str], copy: int, spool: str) -> pa.Table:
    digits = np.arange(256, dtype=np.uint8)
    digits[48:58] = np.random.default_rng(copy).permutation(np.arange(48, 58, dtype=np.uint8))
    columns = {name: sample[name] for name in sample.schema.names}
    for name in varied:
        columns[name] = _varied(columns[name].combine_chunks(), digits)
    ids, received = _intake(moments, copy, spool)
    columns |= {"time": _moments(moments), "ingested_at": received, "event_id": ids}
    return pa.table(columns).cast(sample.schema)


def _moments(numbers: Moments) -> pa.Array:
    return pa.array(numbers).cast(pa.timestamp("us"))


def _intake(moments: Moments, copy: int, spool: str) -> tuple[pa.Array, pa.Array]:
    """Ids and times of intake: a thousand events come together, a second after the last."""
    ids: list[pa.Array] = []
    received = np.empty_like(moments)
    for at in range(0, len(moments), _ENTRY_ROWS):
        rows = slice(at, min(at + _ENTRY_ROWS, len(moments)))
        received[rows] = moments[rows][-1] + 1_000_000
        when = _EPOCH + timedelta(microseconds=int(received[at]))
        ids.append(event_id_column(when, spool, copy, range(rows.start, rows.stop)))
    return pa.concat_arrays(ids), _moments(received)


def _varied(column: Any, digits: npt.NDArray[np.uint8]) -> Any:
    """The column with other digits, where it has about as many values as events."""
    kind = column.type
    if pa.types.is_struct(kind) and kind.num_fields:
        fields = [
            column.field(at) if field.name == "metadata" else _varied(column.field(at), digits)
            for at, field in enumerate(kind)
        ]
        gone = column.is_null() if column.null_count else None
        return pa.StructArray.from_arrays(fields, fields=list(kind), mask=gone)
    is_text = pa.types.is_string(kind) or pa.types.is_binary(kind)
    if not is_text or column.null_count == len(column) or not _differs(column):
        return column
    validity, offsets, data = column.buffers()
    changed = digits[np.frombuffer(data, np.uint8)]
    buffers = [validity, offsets, pa.py_buffer(changed)]
    return pa.Array.from_buffers(kind, len(column), buffers, column.null_count, column.offset)


def _differs(column: Any) -> bool:
    if pa.types.is_binary(column.type) and column.null_count:
        return False  # what a VARIANT encodes: no text
    filled = len(column) - column.null_count
    return bool(pc.count_distinct(column).as_py() > _VARIED_SHARE * filled and filled > 1)


def _with_needle(table: pa.Table) -> pa.Table:
    at = table.schema.get_field_index("process_cmd_line")
    row = table.num_rows // 2
    column = table.column(at).combine_chunks()
    texts = [column[:row], pa.array([f"tool.exe --key {NEEDLE}"]), column[row + 1 :]]
    return table.set_column(at, table.schema.field(at), pa.concat_arrays(texts))
