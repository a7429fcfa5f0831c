"""From when to when a rule has looked, what it has not seen, and what was filled since."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import Connection, select

from tocsin.app.rules.look_ledger import NO_LANE
from tocsin.app.rules.look_tables import LANE_LOOKS, PLATFORM_RUNS, RULE_FILLS, RULE_WATCHES
from tocsin.model.lane import Lane, LogSource

_MOST_LISTED = 200
_STEP = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A span of receipt time; ``until`` None: it lasts.

    ``cause`` of a gap is ``decided`` (somebody put the rule out of force), ``budget`` (it was over
    its budget of processor time), or "" (its file was gone or could not be used).
    """

    since: datetime
    until: datetime | None
    cause: str = ""


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


@dataclass(frozen=True, slots=True)
class _Watch:
    """A time in force, and between which changes of the rules it was."""

    span: Span
    since_change: int
    until_change: int | None
    cause: str = ""

    def looked_at(self, change: int) -> bool:
        """Whether it was in force after that change of rules."""
        ended = self.until_change is not None and change >= self.until_change
        return change >= self.since_change and not ended


def rule_looks(
    tx: Connection, rule_id: str, sources: tuple[LogSource, ...], lanes: tuple[Lane, ...]
) -> RuleLooks:
    """The ledger of a rule that asks for events of ``sources`` (none: unknown, so any).

    ``lanes`` are those there are.
    """
    watches = _watches(tx, rule_id)
    fills = _fills(tx, rule_id)
    asked = {lane.id for lane in lanes if any(lane.accepts(source) for source in sources)}
    rows = _lane_rows(tx, asked if sources else None) if watches else []
    looks = [row for change, row in rows if any(one.looked_at(change) for one in watches)]
    last = watches[-1] if watches else None
    joined = _joined(watches)
    since = last.span.since if last is not None and last.span.until is None else None
    return RuleLooks(
        rule_id=rule_id,
        in_force=since is not None,
        since=since,
        watched=tuple(one.span for one in joined),
        gaps=tuple(_gaps(joined, rows, fills)),
        before=_before(joined, rows, fills),
        fills=tuple(fills),
        down=tuple(_down(tx, joined[0].span.since)) if joined else (),
        lanes=tuple(looks[:_MOST_LISTED]),
        events=sum(one.events for one in looks),
        late=sum(one.late for one in looks),
        skipped=sum(one.skipped for one in looks),
    )


def _watches(tx: Connection, rule_id: str) -> list[_Watch]:
    columns = RULE_WATCHES.c
    changes = (columns.since_change, columns.until_change)
    query = select(columns.since, columns.until, *changes, columns.cause)
    ordered = query.where(columns.rule_id == rule_id).order_by(columns.number)
    return [_Watch(Span(row[0], row[1]), *row[2:]) for row in tx.execute(ordered)]


def _fills(tx: Connection, rule_id: str) -> list[Fill]:
    columns = RULE_FILLS.c
    query = select(
        *(columns.since, columns.until, columns.events, columns.findings),
        *(columns.damage, columns.by, columns.at),
    )
    return [Fill(*row) for row in tx.execute(query.where(columns.rule_id == rule_id))]


def _lane_rows(tx: Connection, asked: set[str] | None) -> list[tuple[int, LaneLook]]:
    """Looks at the lanes, newest first, each with the change of rules it came after."""
    columns = LANE_LOOKS.c
    query = select(
        *(columns.change, columns.tenant, columns.lane, columns.since, columns.until),
        *(columns.first_time, columns.last_time, columns.events, columns.late, columns.skipped),
    ).order_by(columns.until.desc(), columns.number.desc())
    if asked is not None:
        query = query.where(columns.lane.in_([*asked, NO_LANE]))
    return [(row[0], LaneLook(*tuple(row)[1:])) for row in tx.execute(query)]


def _joined(watches: list[_Watch]) -> list[_Watch]:
    """Watches of versions that followed each other at once, as one."""
    found: list[_Watch] = []
    for one in watches:
        last = found[-1] if found else None
        if last is not None and last.until_change == one.since_change:
            span = Span(last.span.since, one.span.until)
            found[-1] = _Watch(span, last.since_change, one.until_change, one.cause)
        else:
            found.append(one)
    return found


def _gaps(watched: list[_Watch], rows: list[tuple[int, LaneLook]], fills: list[Fill]) -> list[Span]:
    """Of each time between, what was received; one that lasts is there without events too."""
    found = []
    for at, one in enumerate(watched):
        if one.until_change is None or one.span.until is None:
            continue
        after = watched[at + 1].since_change if at + 1 < len(watched) else None
        missed = [
            row
            for change, row in rows
            if change >= one.until_change and (after is None or change < after)
        ]
        span = _spanning(missed)
        if after is None:
            begin = one.span.until if span is None else min(span.since, one.span.until)
            found.append(Span(begin, None, one.cause))
        elif span is not None:
            found.append(Span(span.since, span.until, one.cause))
    return [part for gap in found for part in _without(gap, fills)]


def _spanning(rows: list[LaneLook]) -> Span | None:
    if not rows:
        return None
    return Span(min(row.since for row in rows), max(row.until for row in rows) + _STEP)


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
                cut.append(Span(one.since, fill.since, one.cause))
            if one.until is None or fill.until < one.until:
                cut.append(Span(fill.until, one.until, one.cause))
        left = cut
    return left


def _before(
    watched: list[_Watch], rows: list[tuple[int, LaneLook]], fills: list[Fill]
) -> Span | None:
    if not watched:
        return None
    span = _spanning([row for change, row in rows if change < watched[0].since_change])
    left = _without(span, fills) if span is not None else []
    return left[0] if left else None


def _down(tx: Connection, since: datetime) -> list[Span]:
    """When the platform did not run since then."""
    columns = PLATFORM_RUNS.c
    query = select(columns.started_at, columns.seen_at).order_by(columns.number)
    runs = [row for row in tx.execute(query) if row.seen_at >= since]
    return [
        Span(one.seen_at, other.started_at)
        for one, other in pairwise(runs)
        if other.started_at > one.seen_at
    ][-_MOST_LISTED:]
