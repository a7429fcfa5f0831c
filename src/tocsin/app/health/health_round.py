"""The round that looks whether all is well: measures, judges, and adds what it finds to the flow."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from tocsin.app.flow.flow import Flow
from tocsin.app.flow.rule_budget import RuleBudget
from tocsin.app.health.blindness import blinded_by, with_blindness
from tocsin.app.health.health_measures import (
    Measured,
    measure_disk,
    measure_intakes,
    measure_platform,
    measure_sources,
)
from tocsin.app.health.health_watch import judge, mark_told
from tocsin.app.health.source_tasks import SourceTasks
from tocsin.app.rules.rule_keeper import RuleKeeper
from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.matching.engine import Engine
from tocsin.ingest.sources.ledger import SourceBook
from tocsin.ingest.sources.rates import SourceRate, forget_old_slots, source_rates
from tocsin.ingest.sources.silence import find_silent, judged_at, silence_findings
from tocsin.ingest.sources.week_learning import learn_weeks
from tocsin.model.finding import Finding
from tocsin.model.intake import Intake
from tocsin.model.lane import Lane
from tocsin.model.source import SourceLedger
from tocsin.store.ports import StateStore, WorkQueue

_WORTH_TELLING = 0.01


@dataclass(frozen=True, slots=True)
class Measurements:
    """All that is measured at one moment; ``rates`` are in the order of ``ledgers``."""

    ledgers: list[SourceLedger]
    rates: list[SourceRate]
    numbers: list[Measured]


@dataclass(frozen=True, slots=True)
class Watched:
    """What the round looks at."""

    state: StateStore
    sources: SourceBook
    spool: WorkQueue
    spool_limit_bytes: int
    folder: Path
    flow: Flow
    rules: RuleKeeper
    correlator: Correlator
    engine: Engine
    lanes: Callable[[], Sequence[Lane]]
    budget: RuleBudget
    tasks: SourceTasks
    unusable: Callable[[], Sequence[str]]
    """Files events are enriched from that can't be used, with the reason."""
    unmapped: Callable[[], Sequence[str]]
    """One's own mappings that can't be used, with the reason."""


class HealthRound:
    """Looks for silent sources and judges the health rules; troubles come out as findings."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self.intakes: Callable[[], Sequence[Intake]] = tuple
        """What is fetched from elsewhere, and how that goes; said by who runs it."""
        self.doors: Callable[[], Sequence[tuple[str, float]]] = tuple
        """Listeners and the share of their connections that is open; said by who opens them."""
        self.storage: Callable[[], Iterable[Measured]] = tuple
        """When the disk will be full, and whether retention stopped; said by who looks at it."""
        self.safekeeping: Callable[[], Iterable[Measured]] = tuple
        """How old backups are, and what is damaged; said by who makes and checks them."""
        self._watching = threading.Event()
        self._watching.set()

    @contextmanager
    def history_comes_in(self) -> Iterator[None]:
        """While old records are being read in, the regular looks wait.

        Sources that are read in one after the other are at different moments of the past; only
        when all are in can it be told who fell silent.
        """
        self._watching.clear()
        try:
            yield
        finally:
            with self._watched.state.begin() as tx:
                self._watched.sources.end_history(tx)
            self._watching.set()

    @property
    def is_watching(self) -> bool:
        """False while history comes in."""
        return self._watching.is_set()

    def look_for_silence(self, now: datetime | None = None) -> int:
        """Add a finding for each source that fell silent; how many are silent."""
        watched = self._watched
        moment = now or datetime.now(UTC)
        heard = watched.flow.unlooked_from(moment)
        with watched.state.read() as tx:
            ledgers = watched.sources.sources(tx, heard)
            silent = find_silent(ledgers)
            fresh = watched.sources.unreported(tx, silent)
        if fresh:
            findings = silence_findings(fresh, ledgers, moment)
            self._tell(findings, ledgers, moment)
            with watched.state.begin() as tx:
                watched.sources.mark_reported(tx, fresh)
        return len(silent)

    def judge_health(self, now: datetime | None = None) -> int:
        """Measure, judge by the health rules, add what is new; how many troubles that is."""
        watched = self._watched
        moment = now or datetime.now(UTC)
        with watched.state.begin() as tx:
            measured = self.measure(tx, moment)
            findings = judge(tx, watched.rules.ruleset.health, measured.numbers, moment)
            forget_old_slots(tx, moment)
            learn_weeks(tx, measured.ledgers, judged_at(measured.ledgers, moment))
        if findings:
            self._tell(findings, measured.ledgers, moment)
            with watched.state.begin() as tx:
                mark_told(tx, findings)
        return len(findings)

    def measure(self, tx: Connection, now: datetime) -> Measurements:
        """Everything health rules can watch, as it is at ``now``.

        Sources are judged as of the oldest record that waits: it may be of any of them.
        """
        heard = self._watched.flow.unlooked_from(now)
        ledgers = self._watched.sources.sources(tx, heard)
        moment = judged_at(ledgers, heard)
        rates = source_rates(tx, ledgers, moment, now)
        numbers = list(measure_sources(ledgers, rates, moment))
        numbers += measure_intakes(self.intakes(), now)
        numbers += [
            Measured("source", name, "connections_share", share) for name, share in self.doors()
        ]
        numbers += measure_disk(self._watched.folder)
        numbers += self.storage()
        numbers += self.safekeeping()
        numbers += self._measures_of_platform(now)
        numbers += self._measures_of_rules(now)
        return Measurements(ledgers, rates, numbers)

    def _measures_of_platform(self, now: datetime) -> Iterator[Measured]:
        watched = self._watched
        held = watched.correlator.counts().values()
        counted = {
            "flow_failing": 1.0 if watched.flow.error else 0.0,
            "rule_problems": float(len(watched.rules.ruleset.problems)),
            "paused_rules": float(len(watched.engine.paused)),
            "evicted_entries": float(sum(one.evicted for one in held)),
            "late_events": float(sum(one.late for one in held)),
        }
        yield from measure_platform(watched.spool, watched.spool_limit_bytes, now, counted)
        for metric, problems in (
            ("enrichment_problems", watched.unusable()),
            ("mapping_problems", watched.unmapped()),
        ):
            name = "; ".join(problems) or "tocsin"
            yield Measured("platform", name, metric, float(len(problems)))

    def _measures_of_rules(self, now: datetime) -> Iterator[Measured]:
        """Of rules that cost something worth telling, or pause because of it."""
        for rule_id, spent in self._watched.budget.spent().items():
            if spent.over_since is None and spent.share < _WORTH_TELLING:
                continue
            rule = self._watched.rules.ruleset.rule(rule_id)
            name = f"{rule.title} ({rule_id})" if rule is not None else rule_id
            since = spent.over_since or now
            yield Measured("rule", name, "paused_s", max(0.0, (now - since).total_seconds()))
            yield Measured("rule", name, "cpu_share", spent.share)

    def _tell(
        self, findings: Sequence[Finding], ledgers: Sequence[SourceLedger], now: datetime
    ) -> None:
        """As alerts, and as tasks for the owners of the sources."""
        told = self._with_blindness(findings, ledgers)
        self._watched.flow.add_findings(told)
        self._watched.tasks.open(told, ledgers, now)

    def _with_blindness(
        self, findings: Sequence[Finding], ledgers: Sequence[SourceLedger]
    ) -> list[Finding]:
        watched = self._watched
        lanes = watched.lanes()
        rules = watched.rules.ruleset.all_rules()
        by_name = {(ledger.tenant, ledger.name): ledger for ledger in ledgers}
        told = []
        for finding in findings:
            ledger = by_name.get((finding.tenant, finding.source))
            if ledger is None:
                told.append(finding)
            else:
                told.append(with_blindness(finding, blinded_by(ledger, ledgers, lanes, rules)))
        return told
