"""The book of sources: counts that add up, when each was last seen, how often it sends."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, RowMapping, bindparam, func, select, update

from tocsin.ingest.errors import IngestError
from tocsin.ingest.sources.cadence import (
    Gaps,
    active_interval_s,
    believable,
    believable_times,
    expected_interval_s,
    from_micros,
    gaps_after,
    learn,
    to_micros,
)
from tocsin.ingest.sources.quarantine import Aside
from tocsin.ingest.sources.rates import Arrival, add_arrivals
from tocsin.ingest.sources.silence import FLOOR_S, PATIENCE, judged_at, own_moment, silent_since
from tocsin.ingest.sources.source_turn import SourceTurn
from tocsin.ingest.sources.tables import quarantine, sources
from tocsin.ingest.sources.usual_week import Missed, UsualWeek, missed_since
from tocsin.ingest.sources.week_learning import usual_weeks
from tocsin.model.identifier import new_id
from tocsin.model.page import Page
from tocsin.model.source import QuarantinedRecord, SourceLedger
from tocsin.store.ports import BlobStore

LIVE_LAG_S = 2 * 86_400.0
"""A source none of whose events ever came sooner than this after they happened is an archive
that was read in: nothing is expected of it."""
_EXCERPT = 200
_CHUNK = 500


class SourceBook:
    """Keeps a ledger for every source; all state is in the tables."""

    def add(self, tx: Connection, turns: Iterable[SourceTurn], now: datetime) -> None:
        """Add what one turn took in, each source once; an empty turn changes nothing.

        Event times outside 1990 to tomorrow count but teach nothing; of those still to come
        ``now`` is learned, for a clock that is ahead must not hide a silence.
        """
        turns = [turn for turn in turns if not turn.is_empty]
        before = _ledgers_before(tx, turns)
        fresh: list[dict[str, Any]] = []
        grown: list[dict[str, Any]] = []
        arrivals: list[tuple[str, str, Arrival]] = []
        for turn in turns:
            row = before.get(turn.key)
            values, came = _after(row or _NOTHING, turn, now)
            arrivals.append((*turn.key, came))
            if row is None:
                fresh.append({**_NOTHING, **values, "tenant": turn.tenant, "name": turn.source})
            else:
                named = {"of_tenant": turn.tenant, "of_name": turn.source}
                changed = {f"new_{name}": values.get(name, row[name]) for name in _LEARNED}
                grown.append({**named, **changed})
        add_arrivals(tx, arrivals, now)
        if fresh:
            tx.execute(sources.insert(), fresh)
        if grown:
            tx.execute(_GROW, grown)

    def quarantine(self, tx: Connection, blobs: BlobStore, asides: Sequence[Aside]) -> None:
        """Keep unreadable records whole. Counting them on their source is ``add``'s part."""
        rows = [
            {
                "id": new_id("unreadable", aside.received_at),
                "tenant": aside.tenant,
                "source": aside.item.source,
                "place": aside.item.place,
                "ordinal": aside.item.ordinal,
                "reason": aside.item.reason[:1000],
                "size_bytes": len(aside.item.payload),
                "digest": blobs.put(aside.item.payload),
                "excerpt": excerpt(aside.item.payload),
                "received_at": aside.received_at,
                "framing": aside.framing.value,
                "connector": aside.connector,
                "header": blobs.put(aside.header) if aside.header else "",
            }
            for aside in asides
        ]
        if rows:
            tx.execute(quarantine.insert(), rows)

    def settle(
        self,
        tx: Connection,
        *,
        tenant: str,
        source: str,
        stored: int,
        unrecognized: int,
        lanes: Iterable[str],
    ) -> None:
        """Records that were quarantined are stored now: received stays what it was."""
        here = (sources.c.tenant == tenant) & (sources.c.name == source)
        known = tx.execute(select(sources.c.lanes).where(here)).scalar_one_or_none() or []
        tx.execute(
            update(sources)
            .where(here)
            .values(
                stored=sources.c.stored + stored,
                quarantined=sources.c.quarantined - stored,
                unrecognized=sources.c.unrecognized + unrecognized,
                lanes=sorted({*known, *lanes}),
            )
        )

    def recognize(
        self, tx: Connection, *, tenant: str, source: str, count: int, lanes: Iterable[str]
    ) -> None:
        """Stored events that no mapping knew are known now: nothing else of the sum changes."""
        here = (sources.c.tenant == tenant) & (sources.c.name == source)
        known = tx.execute(select(sources.c.lanes).where(here)).scalar_one_or_none() or []
        values = {
            "unrecognized": sources.c.unrecognized - count,
            "lanes": sorted({*known, *lanes}),
        }
        tx.execute(update(sources).where(here).values(values))

    def add_lost(
        self,
        tx: Connection,
        source: str,
        now: datetime,
        *,
        dropped: int = 0,
        tls_refused: int = 0,
        tenant: str = "default",
    ) -> None:
        """Count what never got past the door of a listener: in the kernel, or before TLS."""
        if not (dropped or tls_refused):
            return
        here = (sources.c.tenant == tenant) & (sources.c.name == source)
        lost = {"dropped": dropped, "tls_refused": tls_refused}
        grown = {name: sources.c[name] + count for name, count in lost.items()}
        if not tx.execute(update(sources).where(here).values(**grown)).rowcount:
            tx.execute(
                sources.insert().values({**_NOTHING, "tenant": tenant, "name": source, **lost})
            )
        lost_now = Arrival(dropped=dropped, tls_refused=tls_refused)
        add_arrivals(tx, [(tenant, source, lost_now)], now)

    def add_duplicates(
        self, tx: Connection, source: str, count: int, now: datetime, tenant: str = "default"
    ) -> None:
        """Count records that were received once more, and not stored once more."""
        here = (sources.c.tenant == tenant) & (sources.c.name == source)
        came = {"received": count, "duplicates": count}
        grown = {name: sources.c[name] + more for name, more in came.items()}
        if not tx.execute(update(sources).where(here).values(**grown, last_received=now)).rowcount:
            values = {**_NOTHING, "tenant": tenant, "name": source, "last_received": now, **came}
            tx.execute(sources.insert().values(values))

    def end_history(self, tx: Connection) -> None:
        """Nothing more comes of what was read in: who is behind now is not about to come on."""
        tx.execute(update(sources).values(advanced_at=None))

    def set_owner(self, tx: Connection, source: str, owner: str, tenant: str = "default") -> None:
        """Say who looks after a source ("" for nobody); raises IngestError for an unknown one."""
        here = (sources.c.tenant == tenant) & (sources.c.name == source)
        if not tx.execute(update(sources).where(here).values(owner=owner.strip())).rowcount:
            raise IngestError(f"no source is called {source!r}; tocsin sources list shows them")

    def sources(self, tx: Connection, now: datetime | None = None) -> list[SourceLedger]:
        """Every source's ledger by name; ``silent_since`` is judged by ``silence.judged_at``.

        ``now`` None is the clock.
        """
        rows = tx.execute(select(sources).order_by(sources.c.name, sources.c.tenant)).all()
        present = now or datetime.now(UTC)
        ledgers = [_ledger(row) for row in rows]
        judged = judged_at(ledgers, present)
        moments = [own_moment(ledger, judged, present) for ledger in ledgers]
        quiet = [
            ledger.name
            for ledger, moment in zip(ledgers, moments, strict=True)
            if ledger.last_seen is not None
            and (moment - ledger.last_seen).total_seconds() > FLOOR_S
        ]
        weeks = usual_weeks(tx, quiet) if quiet else {}
        return [
            silent_since(ledger, moment, _missed(ledger, weeks, row.gaps, moment))
            for ledger, row, moment in zip(ledgers, rows, moments, strict=True)
        ]

    def unreported(self, tx: Connection, silent: Sequence[SourceLedger]) -> list[SourceLedger]:
        """Those of the silent sources whose present silence ``mark_reported`` has not seen."""
        rows = tx.execute(select(sources.c.tenant, sources.c.name, sources.c.reported_silence))
        reported = {(row.tenant, row.name): row.reported_silence for row in rows}
        return [
            ledger
            for ledger in silent
            if reported.get((ledger.tenant, ledger.name)) != ledger.silent_since
        ]

    def mark_reported(self, tx: Connection, silent: Sequence[SourceLedger]) -> None:
        """Remember that these silences have been told; do it after the telling, not before."""
        for ledger in silent:
            tx.execute(
                update(sources)
                .where(sources.c.tenant == ledger.tenant, sources.c.name == ledger.name)
                .values(reported_silence=ledger.silent_since)
            )

    def quarantined(
        self,
        tx: Connection,
        source: str | None = None,
        cursor: str | None = None,
        size: int = 50,
    ) -> Page[QuarantinedRecord]:
        """Unreadable records, newest first; ``cursor`` is the last id of the page before."""
        chosen = select(quarantine)
        if source is not None:
            chosen = chosen.where(quarantine.c.source == source)
        total = tx.execute(select(func.count()).select_from(chosen.subquery())).scalar_one()
        if cursor is not None:
            if not cursor.startswith("unreadable-"):
                raise IngestError(f"{cursor!r} is no cursor of this list; begin without one")
            chosen = chosen.where(quarantine.c.id < cursor)
        rows = tx.execute(chosen.order_by(quarantine.c.id.desc()).limit(size + 1)).all()
        items = tuple(QuarantinedRecord(**row._mapping) for row in rows[:size])
        return Page(items, total, items[-1].id if len(rows) > size else None)


_NOTHING: dict[str, Any] = {
    **dict.fromkeys(("received", "stored", "quarantined", "unrecognized", "received_bytes"), 0),
    **dict.fromkeys(
        (
            "first_seen",
            "last_seen",
            "last_received",
            "least_lag_s",
            "reported_silence",
            "advanced_at",
        )
    ),
    **dict.fromkeys(("ahead", "late", "dropped", "tls_refused", "duplicates"), 0),
    "lanes": [],
    "gaps": {},
}


_LEARNED = (
    *("received", "stored", "quarantined", "unrecognized", "received_bytes", "ahead", "late"),
    *("last_received", "lanes", "first_seen", "last_seen", "advanced_at", "gaps", "least_lag_s"),
)
"""The columns a turn changes."""
_GROW = (
    update(sources)
    .where(sources.c.tenant == bindparam("of_tenant"), sources.c.name == bindparam("of_name"))
    .values({name: bindparam(f"new_{name}") for name in _LEARNED})
)


def _ledgers_before(
    tx: Connection, turns: Sequence[SourceTurn]
) -> dict[tuple[str, str], RowMapping]:
    names: dict[str, list[str]] = {}
    for turn in turns:
        names.setdefault(turn.tenant, []).append(turn.source)
    found: dict[tuple[str, str], RowMapping] = {}
    for tenant, own in names.items():
        for start in range(0, len(own), _CHUNK):
            some = own[start : start + _CHUNK]
            query = select(sources).where(sources.c.tenant == tenant, sources.c.name.in_(some))
            found |= {(tenant, row["name"]): row for row in tx.execute(query).mappings()}
    return found


def _after(
    before: Mapping[str, Any] | RowMapping, turn: SourceTurn, now: datetime
) -> tuple[dict[str, Any], Arrival]:
    """The columns of a source that change with a turn, and what came for its slots."""
    clock = turn.clock
    values: dict[str, Any] = {
        "received": before["received"] + turn.received,
        "stored": before["stored"] + turn.stored,
        "quarantined": before["quarantined"] + turn.quarantined,
        "unrecognized": before["unrecognized"] + turn.unrecognized,
        "received_bytes": before["received_bytes"] + turn.received_bytes,
        "ahead": before["ahead"] + clock.ahead,
        "late": before["late"] + clock.late,
        "last_received": max(filter(None, (before["last_received"], now))),
        "lanes": sorted({*before["lanes"], *turn.lanes}),
    }
    came = Arrival(turn.received, turn.quarantined, turn.unrecognized, clock=clock)
    seen = _seen(turn.first_time, turn.last_time, turn.times_us, now, turn.stored)
    if seen is not None:
        values |= _learned(before, seen, now)
        came.times_us = seen.times_us if seen.times_us is not None else came.times_us
    return values, came


@dataclass(frozen=True, slots=True)
class _Seen:
    """The believable event times of one turn."""

    first: datetime
    last: datetime
    times_us: NDArray[np.int64] | None
    count: int


def _seen(
    first: datetime | None,
    last: datetime | None,
    times_us: NDArray[np.int64] | None,
    now: datetime,
    stored: int,
) -> _Seen | None:
    if times_us is not None:
        times_us = np.minimum(believable_times(times_us, now), to_micros(now))
        if not len(times_us):
            return None
        return _Seen(
            from_micros(times_us.min()), from_micros(times_us.max()), times_us, len(times_us)
        )
    ends = [min(end, now) for end in (first, last) if end is not None and believable(end, now)]
    return _Seen(min(ends), max(ends), None, stored) if ends else None


def _learned(before: Any, seen: _Seen, now: datetime) -> dict[str, Any]:
    first_seen, last_seen = before["first_seen"], before["last_seen"]
    gaps_s = gaps_after(last_seen, seen.times_us, seen.first, seen.last, seen.count)
    lag_s = (now - seen.last).total_seconds()
    least = before["least_lag_s"]
    is_newer = last_seen is None or seen.last > last_seen
    return {
        "first_seen": min(filter(None, (first_seen, seen.first))),
        "last_seen": max(filter(None, (last_seen, seen.last))),
        "advanced_at": now if is_newer else before["advanced_at"],
        "gaps": learn(before["gaps"], gaps_s),
        "least_lag_s": lag_s if least is None else min(least, lag_s),
    }


def _ledger(row: Row[Any]) -> SourceLedger:
    values = dict(row._mapping)
    gaps, least_lag_s = values.pop("gaps"), values.pop("least_lag_s")
    del values["reported_silence"]
    is_live = least_lag_s is not None and least_lag_s <= LIVE_LAG_S
    expected = expected_interval_s(gaps) if is_live else None
    values["lanes"] = tuple(values["lanes"])
    return SourceLedger(**values, expected_interval_s=expected)


def _missed(
    ledger: SourceLedger,
    weeks: Mapping[tuple[str, str], UsualWeek],
    gaps: Gaps,
    moment: datetime,
) -> Missed | None:
    week = weeks.get((ledger.tenant, ledger.name))
    if week is None or ledger.last_seen is None or ledger.expected_interval_s is None:
        return None
    active_s = active_interval_s(gaps)
    patience_s = max(FLOOR_S, PATIENCE * active_s) if active_s is not None else None
    return missed_since(week, ledger.last_seen, moment, patience_s)


def excerpt(payload: bytes) -> str:
    """The first 200 characters, safe to show: what does not print is written as its escape."""
    text = payload[: 4 * _EXCERPT].decode("utf-8", "replace")
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text[:_EXCERPT]
    )
    return shown if len(shown) <= _EXCERPT else shown[: _EXCERPT - 1] + "…"
