"""From when to when a rule has looked, what it has not seen, and what was filled since."""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from sqlalchemy import Connection, func, select

from tocsin.app.look_ledger import NO_LANE
from tocsin.app.look_tables import LANE_LOOKS, PLATFORM_RUNS, RULE_FILLS, RULE_WATCHES
from tocsin.model.lane import Lane, LogSource

_MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class Span:
    """A span of receipt time; ``until`` None: it lasts."""

    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class LaneLook:
    """What was looked at in one lane by one set of rules; ``since`` and ``until`` are of receipt.

    ``first_time`` and ``last_time`` are event times. ``skipped`` records were set aside.
    """

    tenant: str
    lane: str
    since: datetime
    until: datetime
    first_time: datetime
    last_time: datetime
    events: int
    late: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Fill:
    """A look at stored events that was made up for later."""

    since: datetime
    until: datetime
    events: int
    findings: int
    damage: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RuleLooks:
    """The ledger of one rule.

    ``since`` is from when on it looks as it is now, ``watched`` when any version of it did.
    ``gaps`` are between those and not filled: events that were received then have not been looked
    at. ``before`` is stored history older than the rule, ``down`` when the platform did not run
    (what was sent then was looked at when it arrived).
    """

    rule_id: str
    in_force: bool
    since: datetime | None
    watched: tuple[Span, ...]
    gaps: tuple[Span, ...]
    before: Span | None
    fills: tuple[Fill, ...]
    down: tuple[Span, ...]
    lanes: tuple[LaneLook, ...]
    events: int
    late: int
    skipped: int


def rule_looks(
    tx: Connection, rule_id: str, sources: tuple[LogSource, ...], lanes: tuple[Lane, ...]
) -> RuleLooks:
    """The ledger of a rule that asks for events of ``sources``; ``lanes`` are those there are."""
    columns = RULE_WATCHES.c
    query = select(columns.since, columns.until).where(columns.rule_id == rule_id)
    watches = [Span(*row) for row in tx.execute(query.order_by(columns.since, columns.number))]
    fills = _fills(tx, rule_id)
    asked = {lane.id for lane in lanes if any(lane.accepts(source) for source in sources)}
    looks = _looks(tx, asked, watches)
    last = watches[-1] if watches else None
    watched = _joined(watches)
    return RuleLooks(
        rule_id=rule_id,
        in_force=last is not None and last.until is None,
        since=last.since if last is not None and last.until is None else None,
        watched=tuple(watched),
        gaps=tuple(_gaps(watched, fills)),
        before=_before(tx, watched, fills),
        fills=tuple(fills),
        down=tuple(_down(tx, watched)),
        lanes=tuple(looks[:_MOST_LISTED]),
        events=sum(one.events for one in looks),
        late=sum(one.late for one in looks),
        skipped=sum(one.skipped for one in looks),
    )


def first_received(tx: Connection) -> datetime | None:
    """When the ledger begins."""
    found: datetime | None = tx.execute(select(func.min(LANE_LOOKS.c.since))).scalar()
    return found


def _fills(tx: Connection, rule_id: str) -> list[Fill]:
    columns = RULE_FILLS.c
    query = select(
        *(columns.since, columns.until, columns.events, columns.findings),
        *(columns.damage, columns.by, columns.at),
    )
    return [Fill(*row) for row in tx.execute(query.where(columns.rule_id == rule_id))]


def _looks(tx: Connection, asked: set[str], watches: list[Span]) -> list[LaneLook]:
    """Looks at lanes the rule asks for while it was in force, newest first."""
    if not watches:
        return []
    columns = LANE_LOOKS.c
    query = (
        select(
            *(columns.tenant, columns.lane, columns.since, columns.until, columns.first_time),
            *(columns.last_time, columns.events, columns.late, columns.skipped),
        )
        .where(columns.lane.in_([*asked, NO_LANE]), columns.until >= watches[0].since)
        .order_by(columns.until.desc(), columns.number.desc())
    )
    found = [LaneLook(*row) for row in tx.execute(query)]
    return [one for one in found if any(_meets(watch, one.since, one.until) for watch in watches)]


def _meets(watch: Span, since: datetime, until: datetime) -> bool:
    return watch.since <= until and (watch.until is None or watch.until >= since)


def _joined(watches: list[Span]) -> list[Span]:
    """Watches of versions that followed each other at once, as one."""
    found: list[Span] = []
    for one in watches:
        last = found[-1] if found else None
        if last is not None and (last.until is None or last.until >= one.since):
            until = None if one.until is None or last.until is None else max(last.until, one.until)
            found[-1] = Span(last.since, until)
        else:
            found.append(one)
    return found


def _gaps(watched: list[Span], fills: list[Fill]) -> list[Span]:
    if not watched:
        return []
    ends = [*(one.since for one in watched[1:]), None]
    found = [
        Span(one.until, end)
        for one, end in zip(watched, ends, strict=True)
        if one.until is not None
    ]
    return [part for gap in found for part in _without(gap, fills)]


def _without(gap: Span, fills: list[Fill]) -> list[Span]:
    """What of the gap no fill has covered whole."""
    left = [gap]
    for fill in fills:
        if fill.damage:
            continue
        cut: list[Span] = []
        for one in left:
            if fill.until <= one.since or (one.until is not None and fill.since >= one.until):
                cut.append(one)
                continue
            if one.since < fill.since:
                cut.append(Span(one.since, fill.since))
            if one.until is None or fill.until < one.until:
                cut.append(Span(fill.until, one.until))
        left = cut
    return left


def _before(tx: Connection, watched: list[Span], fills: list[Fill]) -> Span | None:
    begin = first_received(tx)
    if begin is None or not watched or begin >= watched[0].since:
        return None
    left = _without(Span(begin, watched[0].since), fills)
    return left[0] if left else None


def _down(tx: Connection, watched: list[Span]) -> list[Span]:
    """When the platform did not run since the rule was first in force."""
    if not watched:
        return []
    columns = PLATFORM_RUNS.c
    query = select(columns.started_at, columns.seen_at).order_by(columns.number)
    runs = [row for row in tx.execute(query) if row.seen_at >= watched[0].since]
    return [
        Span(one.seen_at, other.started_at)
        for one, other in pairwise(runs)
        if other.started_at > one.seen_at
    ][-_MOST_LISTED:]
