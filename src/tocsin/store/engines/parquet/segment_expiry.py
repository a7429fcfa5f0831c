"""Says what of each segment may go: all of it, some of its events, or none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog

from tocsin.store.engines.parquet.held_events import HeldEvents, HeldLook
from tocsin.store.engines.parquet.segment_census import Census, lots_of
from tocsin.store.engines.parquet.segment_file import checksum
from tocsin.store.engines.parquet.segment_places import is_cold
from tocsin.store.engines.parquet.segment_withdrawal import without
from tocsin.store.keeping import (
    FIRST_EVENT,
    FIRST_INTAKE,
    MOST_AHEAD,
    CountedFrom,
    Expiry,
    Lot,
    Span,
)
from tocsin.store.ports import Segment

_log = structlog.get_logger()
_MOST_WHOLE = 500
"""Segments a step takes out whole: their rows go in one short transaction."""
_MOST_REWRITTEN = 4
"""Segments a step writes anew, each at most as large as merging makes them."""
_COLUMNS = ["tenant", "source", "time", "ingested_at"]
_MOMENT = pa.timestamp("us")

ByPair = Mapping[tuple[str, str], Expiry]
FoundBy = Callable[[str], pa.Array]
"""Of each row whether a filter finds it."""


class _Fate(Enum):
    STAYS = "stays"
    GOES = "goes"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Due:
    """What of a segment may go: exactly ``lots``; ``is_whole`` when nothing else is in it."""

    segment: Segment
    lots: tuple[Lot, ...]
    is_whole: bool

    @property
    def oldest(self) -> datetime:
        return min(lot.first_received for lot in self.lots)


def by_pair(expiries: Sequence[Expiry]) -> ByPair:
    """By tenant and source; where two are of the same events, whatever may go by either."""
    found: dict[tuple[str, str], Expiry] = {}
    for one in expiries:
        key = (one.tenant, one.source)
        if key in found:
            raise ValueError(f"two expiries of the source {one.source!r}: give the later of both")
        found[key] = one
    return found


def due(
    folder: Path, segment: Segment, lots: Sequence[Lot], expiries: ByPair, held: HeldLook
) -> Due | None:
    """What of ``segment`` may go; None when nothing may. Looks into the file only if it must."""
    fates = [
        (_beside_holds(_fate(lot, one), lot, one, segment, held), lot)
        for lot in lots
        for one in (expiries.get((lot.tenant, lot.source)),)
    ]
    if all(fate is _Fate.STAYS for fate, _ in fates):
        return None
    going = [lot for fate, lot in fates if fate is _Fate.GOES]
    mixed = [lot for fate, lot in fates if fate is _Fate.MIXED]
    if is_cold(segment):  # nobody writes anew what lies in a bucket: it goes when all of it may
        if len(going) < len(fates):
            return None
    elif mixed:
        table = pq.ParquetFile(folder / segment.path).read(_COLUMNS)
        pairs = {(lot.tenant, lot.source) for lot in mixed}
        narrowed = {pair: one for pair, one in expiries.items() if pair in pairs}
        days = {(lot.tenant, lot.source, lot.day) for lot in mixed}
        goes = going_rows(table, narrowed, lambda text: held.rows(segment, text))
        found = lots_of(table.filter(goes), segment)
        going += [lot for lot in found if (lot.tenant, lot.source, lot.day) in days]
    if not going:
        return None
    return Due(segment, tuple(going), sum(lot.events for lot in going) == segment.rows)


def going_rows(table: pa.Table, expiries: ByPair, found_by: FoundBy) -> pa.ChunkedArray:
    """True for each row that may go; ``found_by`` a filter are those that it says."""
    tenants, sources = table["tenant"].cast(pa.string()), table["source"].cast(pa.string())
    present = set(pc.unique(sources).to_pylist())
    time, received = table["time"].cast(_MOMENT), table["ingested_at"].cast(_MOMENT)
    goes = pa.chunked_array([pa.repeat(False, table.num_rows)])
    for (tenant, source), one in expiries.items():
        if source not in present:
            continue
        rows = pc.and_(pc.equal(tenants, tenant), pc.equal(sources, source))
        since = _since(time, received, one.counted_from)
        rows = pc.and_(rows, pc.fill_null(pc.less(since, _scalar(one.before)), False))
        for span in one.spared:
            rows = pc.and_(rows, pc.invert(_of_time(time, received, span)))
        for held in one.held:
            is_held = pc.and_(_of_time(time, received, held.span), found_by(held.matching))
            rows = pc.and_(rows, pc.invert(is_held))
        goes = pc.or_(goes, rows)
    return goes


@dataclass(frozen=True, slots=True)
class Step:
    """A bounded part of what is due: which segments, and what takes the place of each."""

    changed: tuple[tuple[Segment, Segment | None], ...]
    lots: tuple[Lot, ...]
    is_all: bool


class SegmentExpiry:
    """Finds what is due in all segments, and takes it out step by step."""

    def __init__(
        self,
        folder: Path,
        census: Census,
        segments: Callable[[], Sequence[Segment]],
        held: HeldEvents,
    ) -> None:
        self._folder = folder
        self._census = census
        self._segments = segments
        self._held = held

    def due(self, expiries: Sequence[Expiry]) -> list[Due]:
        """What may go of each segment, the oldest first; what can't be read stays."""
        pairs = by_pair(expiries)
        segments = self._segments() if pairs else []
        cold_pairs = {pair: one for pair, one in pairs.items() if one.with_cold}
        counted = self._census.lots(segments)
        held = self._held.look(segments)
        found = []
        for segment in segments:
            own = cold_pairs if is_cold(segment) else pairs
            try:
                one = due(self._folder, segment, counted.get(segment.id, ()), own, held)
            except (OSError, pa.ArrowException, duckdb.Error) as error:
                _tell(segment, str(error))
                continue
            if one is not None:
                found.append(one)
        return sorted(found, key=lambda one: (one.oldest, one.segment.id))

    def step(self, expiries: Sequence[Expiry]) -> Step:
        """Whole segments as long as there are any, as that gives room at once; then others.

        A few others at a time: each is read and written anew.
        """
        found = self.due(expiries)
        whole = [one for one in found if one.is_whole]
        if whole:
            now = whole[:_MOST_WHOLE]
            changed = tuple((one.segment, None) for one in now)
            return Step(changed, _lots(now), len(now) == len(found))
        now, rewritten = [], []
        pairs = by_pair(expiries)
        intact = [one for one in found if self._is_intact(one.segment)]
        look = self._held.look([one.segment for one in intact[:_MOST_REWRITTEN]])
        for one in intact[:_MOST_REWRITTEN]:
            goes = partial(going_rows, expiries=pairs, found_by=partial(look.rows, one.segment))
            new = without(self._folder, one.segment, goes)
            rewritten.append((one.segment, new))
            now.append(one)
        return Step(tuple(rewritten), _lots(now), len(now) == len(intact))

    def _is_intact(self, segment: Segment) -> bool:
        """A damaged file is not written anew: that would hide what happened to it."""
        try:
            is_intact = checksum(self._folder / segment.path) == segment.checksum
        except OSError as error:
            _tell(segment, str(error))
            return False
        if not is_intact:
            _tell(segment, "it is not what was written")
        return is_intact


def _lots(dues: Sequence[Due]) -> tuple[Lot, ...]:
    return tuple(lot for one in dues for lot in one.lots)


def _tell(segment: Segment, reason: str) -> None:
    _log.warning(
        "segment_not_expired",
        segment=segment.path,
        reason=reason.partition("\n")[0],
        advice="it stays as it is; restore the file from a backup and check the disk",
    )


def _fate(lot: Lot, expiry: Expiry | None) -> _Fate:
    if expiry is None:
        return _Fate.STAYS
    if lot.first_received < FIRST_INTAKE:
        return _Fate.MIXED
    earliest, latest = lot.first_received, lot.last_received
    if expiry.counted_from is CountedFrom.EVENT:
        earliest = min(earliest, lot.first_time)
        latest = max(latest, min(lot.last_time, latest + MOST_AHEAD))
    if earliest >= expiry.before:
        return _Fate.STAYS
    times = (lot.first_time, lot.last_time)
    intake = (lot.first_received, lot.last_received)
    if any(span.covers(*times) or span.covers(*intake) for span in expiry.spared):
        return _Fate.STAYS
    touched = any(span.meets(*times) or span.meets(*intake) for span in expiry.spared)
    return _Fate.GOES if latest < expiry.before and not touched else _Fate.MIXED


def _beside_holds(
    fate: _Fate, lot: Lot, expiry: Expiry | None, segment: Segment, look: HeldLook
) -> _Fate:
    """The fate of events that holds may spare one by one."""
    if fate is _Fate.STAYS or expiry is None:
        return fate
    times, intake = (lot.first_time, lot.last_time), (lot.first_received, lot.last_received)
    for one in expiry.held:
        is_met = one.span.meets(*times) or one.span.meets(*intake)
        if not is_met or not look.has_some(segment, one.matching):
            continue
        is_covered = one.span.covers(*times) or one.span.covers(*intake)
        if is_covered and look.has_only(segment, one.matching):
            return _Fate.STAYS
        fate = _Fate.MIXED
    return fate


def _since(
    time: pa.ChunkedArray, received: pa.ChunkedArray, counted_from: CountedFrom
) -> pa.ChunkedArray:
    """The moment each event's age counts from; null where none is believable."""
    first_intake = _scalar(FIRST_INTAKE)
    is_sure = pc.greater_equal(received, first_intake)
    nothing = pa.scalar(None, _MOMENT)
    otherwise = pc.if_else(pc.greater_equal(time, first_intake), time, nothing)
    since = pc.if_else(is_sure, received, otherwise)
    if counted_from is CountedFrom.INTAKE:
        return since
    latest = pc.add(received, pa.scalar(MOST_AHEAD, pa.duration("us")))
    believed = pc.and_(
        is_sure,
        pc.and_(pc.greater_equal(time, _scalar(FIRST_EVENT)), pc.less_equal(time, latest)),
    )
    return pc.if_else(believed, time, since)


def _of_time(time: pa.ChunkedArray, received: pa.ChunkedArray, span: Span) -> pa.ChunkedArray:
    return pc.or_(_within(time, span), _within(received, span))


def _within(column: pa.ChunkedArray, span: Span) -> pa.ChunkedArray:
    held = pa.chunked_array([pa.repeat(True, len(column))])
    if span.start is not None:
        held = pc.and_(held, pc.greater_equal(column, _scalar(span.start)))
    if span.end is not None:
        held = pc.and_(held, pc.less(column, _scalar(span.end)))
    return held


def _scalar(moment: datetime) -> pa.Scalar:
    return pa.scalar(moment.replace(tzinfo=None), _MOMENT)
