"""Fills a gap: lets a rule look at stored events it has not seen, and its findings fold late."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import insert

from tocsin.app.backtest_rules import named_rules
from tocsin.app.correlated_findings import CorrelatedFindings
from tocsin.app.history import NOT_EVALUATED, lanes_by_id
from tocsin.app.identity import entities_with
from tocsin.app.look_tables import RULE_FILLS
from tocsin.app.rule_looks import Fill
from tocsin.app.rule_sieve import Sieve
from tocsin.app.wiring import Tocsin
from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.correlate.limits import Limits
from tocsin.detect.engine import Engine
from tocsin.detect.findings import findings_of
from tocsin.detect.ruleset import RuleSet
from tocsin.detect.stateful_rule import CorrelationRule
from tocsin.model.finding import Finding
from tocsin.store.ports import Damage, ReplayQuery
from tocsin.triage.finding_events import FINDING_LANE

_AT_ONCE = 500


@dataclass(slots=True)
class RuleFill:
    """One look at what was received in ``since <= t < until`` by one rule in force.

    Findings that are already stored are left alone, so a fill may be done again.
    """

    house: Tocsin
    rule_id: str
    since: datetime
    until: datetime

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
        ruleset = named_rules(house.ruleset, [self.rule_id])
        events = added = 0
        damage: dict[str, Damage] = {}
        total = sum(one.rows for one in house.events.segments(None, None))
        for looked, findings in self._findings(ruleset, now, damage):
            if should_stop():
                return None
            events += looked
            added += self._add(findings)
            if on_progress is not None:
                on_progress(min(events, total), total)
        told = "; ".join(one.reason for one in damage.values())
        fill = Fill(self.since, self.until, events, added, told, by, now)
        self._note(fill)
        return fill

    def _findings(
        self, ruleset: RuleSet, now: datetime, damage: dict[str, Damage]
    ) -> Iterator[tuple[int, Sequence[Finding]]]:
        """Events looked at and findings, batch by batch; what several events make comes last."""
        house = self.house
        lane_of = lanes_by_id(house.normalizer.lanes)
        engine, sieve = Engine(ruleset), Sieve(ruleset, now)
        correlator = Correlator(ruleset.stateful, limits=Limits(lateness=None))
        turn = correlator.begin()
        wanted = ReplayQuery(
            received_from=self.since - _reach_back(ruleset),
            received_until=self.until,
            without_lanes=NOT_EVALUATED,
        )

        def harmed(one: Damage) -> None:
            damage[one.place] = one

        entities_of = entities_with(house.assets)
        for batch in house.events.replay(wanted, lane_of, harmed):
            hits = sieve.hits(batch, engine.evaluate(batch))
            turn.take(batch, hits)
            yield len(batch), findings_of(batch, hits, ruleset, entities_of) if hits else ()
        verdicts = [one for one in turn.finish(self.until, final=True) if one.time < self.until]
        made = CorrelatedFindings(ruleset, entities_of, house.events.get)
        yield 0, made.of(verdicts)

    def _add(self, findings: Sequence[Finding]) -> int:
        """Fold those that are new, marked late; how many."""
        added = 0
        for start in range(0, len(findings), _AT_ONCE):
            part = [one for one in findings[start : start + _AT_ONCE] if not one.retracted]
            known = self._known(part)
            fresh = [replace(one, late=True) for one in part if one.finding_id not in known]
            self.house.flow.add_findings(fresh)
            added += len(fresh)
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

    def _note(self, fill: Fill) -> None:
        with self.house.state.begin() as tx:
            tx.execute(
                insert(RULE_FILLS).values(
                    rule_id=self.rule_id,
                    since=fill.since,
                    until=fill.until,
                    events=fill.events,
                    findings=fill.findings,
                    damage=fill.damage,
                    by=fill.by,
                    at=fill.at,
                )
            )
            self.house.audit.append(
                tx,
                actor=fill.by,
                action="rules.fill",
                subject=self.rule_id,
                detail=f"{fill.events} events, {fill.findings} findings",
                now=fill.at,
            )


def _reach_back(ruleset: RuleSet) -> timedelta:
    """How far before a gap the windows of rules over several events may have begun."""
    spans = [one.timespan for one in ruleset.stateful if isinstance(one, CorrelationRule)]
    return max(spans, default=timedelta(0))
