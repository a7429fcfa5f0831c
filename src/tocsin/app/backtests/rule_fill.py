"""Fills a gap: lets rules look at stored events they have not seen, and their findings fold late."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pyarrow.compute as pc
from sqlalchemy import insert

from tocsin.app.access.audit import AuditLog
from tocsin.app.backtests.backtest_rules import named_rules
from tocsin.app.backtests.filled_windows import FilledWindows, reach_of
from tocsin.app.flow.assets import AssetRegister
from tocsin.app.flow.flow import Flow
from tocsin.app.flow.identity import entities_with
from tocsin.app.home.history import NOT_EVALUATED, lanes_by_id
from tocsin.app.rules.look_tables import RULE_FILLS
from tocsin.app.rules.rule_looks import Fill
from tocsin.app.rules.rule_sieve import Sieve
from tocsin.detect.findings import findings_of
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.model.event import EventBatch
from tocsin.model.finding import Finding
from tocsin.model.lane import Lane
from tocsin.normalize.normalizer import Normalizer
from tocsin.store.ports import Damage, EventStore, ReplayQuery, StateStore
from tocsin.triage.finding_events import FINDING_LANE

_AT_ONCE = 500


class House(Protocol):
    """What a fill works with."""

    @property
    def state(self) -> StateStore: ...
    @property
    def events(self) -> EventStore: ...
    @property
    def ruleset(self) -> RuleSet: ...
    @property
    def normalizer(self) -> Normalizer: ...
    @property
    def assets(self) -> AssetRegister: ...
    @property
    def audit(self) -> AuditLog: ...
    @property
    def flow(self) -> Flow: ...


@dataclass(slots=True)
class RuleFill:
    """One look at what was received in ``since <= t < until`` by rules in force, together.

    Findings that are already stored are left alone, so a fill may be done again. Rules over
    several events look at all stored events around the gap, so windows that reach beyond it are
    right as well, and what they had found without those events is corrected. While such windows
    are still open (``open_until``), a fill tells what it finds and is not noted as done.
    """

    house: House
    rule_id: str
    since: datetime
    until: datetime
    others: tuple[str, ...] = ()
    open_until: datetime | None = None
    _span: list[datetime] = field(default_factory=list)

    def run(
        self,
        by: str,
        now: datetime,
        on_progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Fill | None:
        """Look, fold what is found, and note it in the ledger; None when it was stopped.

        Raises ``NoSuchRule`` for a rule that is not in force.
        """
        house = self.house
        ids = (self.rule_id, *self.others)
        ruleset = named_rules(house.ruleset, ids)
        engine, sieve = Engine(ruleset), Sieve(ruleset, now)
        entities_of = entities_with(house.assets)
        damage: dict[str, Damage] = {}
        events = added = 0
        total = sum(one.rows for one in house.events.segments(None, None))
        wanted = ReplayQuery(
            received_from=self.since, received_until=self.until, without_lanes=NOT_EVALUATED
        )
        for batch in house.events.replay(wanted, self._lane_of(), _noted_in(damage)):
            if should_stop():
                return None
            events += len(batch)
            self._saw(batch)
            hits = sieve.hits(batch, engine.evaluate(batch))
            if hits:
                added += self._add(findings_of(batch, hits, ruleset, entities_of))
            if on_progress is not None:
                on_progress(min(events, total), total)
        if ruleset.stateful and self._span:
            windows = FilledWindows(house, ruleset, *self._span)
            found = windows.findings(now, _noted_in(damage), should_stop)
            if found is None:
                return None
            added += self._add(found)
            open_until = self._span[1] + reach_of(ruleset)
            self.open_until = open_until if open_until > now else None
        told = "; ".join([*(one.reason for one in damage.values()), *_given_up(engine)])
        fill = Fill(self.since, self.until, events, added, told, by, now)
        if self.open_until is None:
            self._note(ids, fill)
        return fill

    def _lane_of(self) -> Callable[[str], Lane]:
        return lanes_by_id(self.house.normalizer.lanes)

    def _saw(self, batch: EventBatch) -> None:
        """Keep the first and last event time of the gap."""
        ends = pc.min_max(batch.times).as_py()
        first, last = (one.astimezone(UTC) for one in (ends["min"], ends["max"]))
        if self._span:
            first, last = min(first, self._span[0]), max(last, self._span[1])
        self._span = [first, last]

    def _add(self, findings: Sequence[Finding]) -> int:
        """Fold those that are new, marked late; how many."""
        added = 0
        for start in range(0, len(findings), _AT_ONCE):
            part = findings[start : start + _AT_ONCE]
            known = self._known(part)
            fresh = [replace(one, late=True) for one in part if one.finding_id not in known]
            self.house.flow.add_findings(fresh)
            added += sum(not one.retracted for one in fresh)
        return added

    def _known(self, findings: Sequence[Finding]) -> set[str]:
        """Ids of the findings that are stored."""
        if not findings:
            return set()
        wanted = ReplayQuery(
            start=min(one.time for one in findings),
            end=max(one.time for one in findings) + timedelta(microseconds=1),
            lanes=frozenset({FINDING_LANE.id}),
            with_ocsf=False,
        )
        known: set[str] = set()
        replayed = self.house.events.replay(wanted, lambda _: FINDING_LANE, lambda _: None)
        for batch in replayed:
            names = batch.native.column("finding_id").to_pylist()
            known.update(name for name in names if name is not None)
        return known

    def _note(self, rule_ids: Sequence[str], fill: Fill) -> None:
        facts = {"since": fill.since, "until": fill.until, "events": fill.events}
        facts |= {"damage": fill.damage, "by": fill.by, "at": fill.at}
        rows = [
            {"rule_id": one, "findings": fill.findings if one == self.rule_id else 0, **facts}
            for one in rule_ids
        ]
        with self.house.state.begin() as tx:
            tx.execute(insert(RULE_FILLS), rows)
            more = f", {len(rule_ids) - 1} more rules" if len(rule_ids) > 1 else ""
            self.house.audit.append(
                tx,
                actor=fill.by,
                action="rules.fill",
                subject=self.rule_id,
                detail=f"{fill.events} events, {fill.findings} findings{more}",
                now=fill.at,
            )


def _noted_in(damage: dict[str, Damage]) -> Callable[[Damage], None]:
    def harmed(one: Damage) -> None:
        damage[one.place] = one

    return harmed


def _given_up(engine: Engine) -> Iterator[str]:
    """What expressions that take too long have left out: the gap is not closed then."""
    for rule_id, count in engine.limits.items():
        yield (
            f"an expression of rule {rule_id} takes too long: {count:,} values were not looked at; "
            "write it without lookaround or backreference and fill the gap again"
        )
