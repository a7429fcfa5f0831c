"""Gives the events of segments back as event batches, straight from their Parquet columns."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog

from tocsin.model.event import EventBatch
from tocsin.model.lane import Lane
from tocsin.store.engines.parquet.batch_gathering import BatchGathering
from tocsin.store.engines.parquet.group_facts import GroupFacts
from tocsin.store.engines.parquet.segment_leaves import Asked, coded_leaves, filled_leaves
from tocsin.store.engines.state import manifest
from tocsin.store.engines.variant.variant_columns import Mask, Rows, no_columns, plain_parts
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS
from tocsin.store.ports import Damage, ReplayQuery, Segment, StateStore, StoreMoved

_log = structlog.get_logger()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UTC = pa.timestamp("us", "UTC")
_PATH_OF = {column.name: column.path for column in HOT_COLUMNS}
_OCSF = frozenset({"raw", "ocsf", *_PATH_OF})
_ENVELOPE: Asked = dict.fromkeys(ENVELOPE)


@dataclass(frozen=True, slots=True)
class Replay:
    """One reading of segments; see ``EventStore.replay``."""

    folder: Path
    state: StateStore
    wanted: ReplayQuery
    lane_of: Callable[[str], Lane]
    on_damage: Callable[[Damage], None]
    bring: Callable[[Sequence[Segment]], Mapping[str, str]] = lambda _: {}
    """Fetches cold segments; by id why one could not be."""

    def batches(self, segments: Sequence[Segment]) -> Iterator[EventBatch]:
        """The next part of a segment is read while the one before is being worked on."""
        gathering = BatchGathering(self.wanted.batch_rows)
        parts = self._parts([one for one in segments if self._may_hold(one)])
        with ThreadPoolExecutor(1, thread_name_prefix="replay") as ahead:
            coming = ahead.submit(next, parts, None)
            while (part := coming.result()) is not None:
                coming = ahead.submit(next, parts, None)
                for batch in part:
                    yield from gathering.add(batch)
            yield from gathering.rest()

    def _parts(self, segments: Sequence[Segment]) -> Iterator[list[EventBatch]]:
        for segment in segments:
            try:
                content = pa.BufferReader(self._content(segment))
                metadata = pq.read_metadata(content)
                columns = {*ENVELOPE, *self._beside_envelope(segment.lanes)}
                texts = coded_leaves(metadata, columns)
                file = pq.ParquetFile(content, metadata=metadata, read_dictionary=texts)
                for group in range(file.num_row_groups):
                    yield list(self._batches_in(file, group))
            except (OSError, pa.ArrowException, ValueError) as error:
                self._tell(segment, error)

    def _content(self, segment: Segment) -> bytes:
        path = self.folder / segment.path
        if reason := self.bring([segment]).get(segment.id):
            raise ValueError(reason)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            with self.state.read() as tx:
                if segment.path not in manifest.paths(tx):
                    raise StoreMoved(
                        f"segment {segment.path} was merged while it was to be read; begin again"
                    ) from None
            raise
        if hashlib.sha256(content).hexdigest() != segment.checksum:
            raise ValueError("is not what was written")
        return content

    def _tell(self, segment: Segment, error: Exception) -> None:
        told = "is gone" if isinstance(error, FileNotFoundError) else str(error).partition("\n")[0]
        place = str(self.folder / segment.path)
        _log.error("a segment is damaged", segment=segment.path, reason=told)
        self.on_damage(
            Damage(
                place,
                segment.rows,
                f"segment {place} {told}: its {segment.rows:,} events were left out; "
                "restore the file from a backup and check the disk",
            )
        )

    def _batches_in(self, file: pq.ParquetFile, group: int) -> Iterator[EventBatch]:
        wanted, facts = self.wanted, GroupFacts.of(file.metadata.row_group(group))
        lane, tenant = facts.only.get("lane"), facts.only.get("tenant")
        if facts.lies_outside(wanted.start, wanted.end) or not self._may_ask_for(lane, tenant):
            return
        if lane is not None and tenant is not None and self._has_all_of(facts):
            whole = _read(file, group, {**_ENVELOPE, **self._beside_envelope([lane])}, facts)
            asked = [(lane, tenant, np.arange(len(whole)))]
        else:
            envelope = _read(file, group, _ENVELOPE, facts)
            inside = self._inside(envelope)
            asked = [one for one in _events_of(envelope, inside) if self._asks_for(*one[:2])]
            more = self._beside_envelope([lane for lane, _, _ in asked])
            if not asked:
                return
            whole = _beside(envelope, _read(file, group, more)) if more else envelope
        for lane, tenant, rows in asked:
            yield from self._of_lane(taken(whole, rows), self.lane_of(lane), tenant)

    def _beside_envelope(self, lanes: Collection[str]) -> Asked:
        """What is asked for of events of these lanes."""
        wanted = self.wanted
        asked: dict[str, frozenset[str] | None] = {}
        if wanted.with_native:
            named = [wanted.native_fields[lane] for lane in lanes if lane in wanted.native_fields]
            asked["native"] = frozenset().union(*named) if len(named) == len(lanes) else None
        fields = wanted.ocsf_fields
        if wanted.with_ocsf and fields is None:
            asked |= dict.fromkeys(_OCSF)
        elif wanted.with_ocsf and fields is not None:
            asked["ocsf"] = fields
            asked |= {name: None for name, path in _PATH_OF.items() if path in fields}
        return asked

    def _of_lane(self, part: pa.RecordBatch, lane: Lane, tenant: str) -> Iterator[EventBatch]:
        ocsf = part
        for rows, native in _variant(part, "native"):
            here = ocsf if rows is None else taken(ocsf, rows)
            for at, columns in self._ocsf(here):
                yield EventBatch(
                    lane=lane,
                    sources=_of(here, "source", at).cast(pa.string()),
                    tenant=tenant,
                    event_ids=_of(here, "event_id", at).cast(pa.string()),
                    times=_of(here, "time", at).cast(_UTC),
                    ingested_at=_of(here, "ingested_at", at).cast(_UTC),
                    native=native if at is None else taken(native, at),
                    ocsf=columns,
                    raw=_of(here, "raw", at),
                )

    def _ocsf(self, part: pa.RecordBatch) -> Iterator[tuple[Rows | None, pa.RecordBatch]]:
        hot = {
            _PATH_OF[name]: column
            for name, column in zip(part.schema.names, part.columns, strict=True)
            if name in _PATH_OF and column.null_count < len(column)
        }
        for rows, rest in _variant(part, "ocsf"):
            chosen = hot if rows is None else {n: c.take(pa.array(rows)) for n, c in hot.items()}
            others = dict(zip(rest.schema.names, rest.columns, strict=True))
            size = len(part) if rows is None else len(rows)
            yield rows, _columns({**chosen, **others}, size)

    def _may_hold(self, segment: Segment) -> bool:
        wanted = self.wanted
        lanes = set(segment.lanes) - wanted.without_lanes
        if not (lanes if wanted.lanes is None else lanes & wanted.lanes):
            return False
        if wanted.event_ids is not None:
            ids = wanted.event_ids
            return any(segment.first_event_id <= one <= segment.last_event_id for one in ids)
        first, last = _received(segment.first_event_id), _received(segment.last_event_id)
        if wanted.received_until is not None and first is not None:
            return first < wanted.received_until and self._from_then(last)
        return self._from_then(last)

    def _from_then(self, last: datetime | None) -> bool:
        begin = self.wanted.received_from
        return begin is None or last is None or last >= begin - timedelta(seconds=1)

    def _asks_for(self, lane: str, tenant: str) -> bool:
        return self._asks_for_lane(lane) and self._asks_for_tenant(tenant)

    def _asks_for_lane(self, lane: str) -> bool:
        wanted = self.wanted
        return lane not in wanted.without_lanes and (wanted.lanes is None or lane in wanted.lanes)

    def _asks_for_tenant(self, tenant: str) -> bool:
        return self.wanted.tenants is None or tenant in self.wanted.tenants

    def _may_ask_for(self, lane: str | None, tenant: str | None) -> bool:
        """False when no event of the lane and tenant (None: several) is asked for."""
        if lane is not None and not self._asks_for_lane(lane):
            return False
        return tenant is None or self._asks_for_tenant(tenant)

    def _has_all_of(self, facts: GroupFacts) -> bool:
        """True when every event of a row group, if of a lane and tenant asked for, is wanted."""
        wanted = self.wanted
        if wanted.event_ids is not None:
            return False
        if wanted.received_from is not None or wanted.received_until is not None:
            return False
        return facts.lies_within(wanted.start, wanted.end)

    def _inside(self, part: pa.RecordBatch) -> Any:
        wanted = self.wanted
        inside = np.ones(len(part), np.bool_)
        if wanted.event_ids is not None:
            known = pc.is_in(
                part.column("event_id").cast(pa.string()), pa.array(wanted.event_ids, pa.string())
            )
            inside &= known.to_numpy(zero_copy_only=False)
        bounds = (
            ("time", wanted.start, wanted.end),
            ("ingested_at", wanted.received_from, wanted.received_until),
        )
        for name, begin, end in bounds:
            if begin is None and end is None:
                continue
            moments = part.column(name).cast(pa.int64()).to_numpy(zero_copy_only=False)
            if begin is not None:
                inside &= moments >= _micros(begin)
            if end is not None:
                inside &= moments < _micros(end)
        return inside


def taken(batch: pa.RecordBatch, rows: Rows) -> pa.RecordBatch:
    """The given rows (ascending); all of them without copying."""
    if len(rows) == batch.num_rows:
        return batch
    if not batch.num_columns:
        return _columns({}, len(rows))
    return batch.take(pa.array(rows))


def _read(
    file: pq.ParquetFile, group: int, asked: Asked, facts: GroupFacts | None = None
) -> pa.RecordBatch:
    """In this thread: the one that works on what was read before needs the other processor.

    What ``facts`` tell needs no reading.
    """
    told = facts.columns() if facts is not None else {}
    asked = {name: fields for name, fields in asked.items() if name not in told}
    leaves = filled_leaves(file, group, asked)
    rows = file.metadata.row_group(group).num_rows
    if not leaves:
        return _columns(dict(told), rows)
    parts = file.read_row_group(group, columns=leaves, use_threads=False).to_batches()
    read = parts[0] if len(parts) == 1 else pa.concat_batches(parts)
    return _beside(_columns(dict(told), rows), read) if told else read


def _events_of(part: pa.RecordBatch, inside: Mask) -> Iterator[tuple[str, str, Rows]]:
    """The lanes and tenants of the rows that are ``inside``, with those rows."""
    lanes, tenants = _coded(part.column("lane")), _coded(part.column("tenant"))
    lane_codes = lanes.indices.to_numpy(zero_copy_only=False)
    codes = lane_codes * len(tenants.dictionary) + tenants.indices.to_numpy(zero_copy_only=False)
    for code in np.unique(codes[inside]).tolist():
        lane_at, tenant_at = divmod(code, len(tenants.dictionary))
        names = lanes.dictionary[lane_at].as_py(), tenants.dictionary[tenant_at].as_py()
        yield *names, np.flatnonzero(inside & (codes == code))


def _beside(one: pa.RecordBatch, other: pa.RecordBatch) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [*one.columns, *other.columns], names=[*one.schema.names, *other.schema.names]
    )


def _coded(column: pa.Array) -> pa.DictionaryArray:
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


def _variant(part: pa.RecordBatch, name: str) -> Iterator[tuple[Rows | None, pa.RecordBatch]]:
    if name in part.schema.names:
        yield from plain_parts(part.column(name))
    else:
        yield None, _columns({}, len(part))


def _of(part: pa.RecordBatch, name: str, rows: Rows | None) -> pa.Array:
    if name not in part.schema.names:
        return pa.nulls(len(part) if rows is None else len(rows), pa.binary())
    column = part.column(name)
    return column if rows is None else pc.take(column, pa.array(rows))


def _columns(columns: dict[str, Any], rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns) if columns else no_columns(rows)


def _received(event_id: str) -> datetime | None:
    """The time a UUIDv7 tells; None for another id."""
    if len(event_id) != 36 or event_id[14] != "7":
        return None
    return _EPOCH + timedelta(milliseconds=int(event_id[:8] + event_id[9:13], 16))


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
