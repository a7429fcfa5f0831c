"""How the platform and its sources are at this moment: what is sick, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from tocsin.app.health.blindness import Blinded, blinded_by
from tocsin.app.health.health_measures import Measured
from tocsin.app.health.health_round import Measurements
from tocsin.app.health.health_watch import troubles_in, why
from tocsin.app.health.source_tasks import owner_of
from tocsin.app.senders.source_ledgers import source_ledgers
from tocsin.app.wiring import Tocsin
from tocsin.ingest.sources.health_rules import SILENT_SOURCE
from tocsin.ingest.sources.rates import SourceRate
from tocsin.ingest.sources.silence import find_silent, silence_findings
from tocsin.ingest.sources.source_hours import SourceHour, source_hours
from tocsin.model.severity import Level
from tocsin.model.source import SourceLedger

HOURS = 24


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something a health rule holds of a subject now; ``because`` says what was measured."""

    subject: str
    name: str
    tenant: str
    metric: str
    title: str
    level: Level
    because: str
    rule_id: str


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """A source as it is now. ``troubles`` are worst first, ``hours`` end with the present one."""

    ledger: SourceLedger
    rate: SourceRate
    troubles: tuple[Trouble, ...] = ()
    hours: tuple[SourceHour, ...] = ()
    owner: str = ""

    @property
    def is_silent(self) -> bool:
        return any(trouble.rule_id == SILENT_SOURCE.id for trouble in self.troubles)

    @property
    def worst(self) -> Level | None:
        """The level of its worst trouble; None when it is well."""
        return self.troubles[0].level if self.troubles else None


@dataclass(frozen=True, slots=True)
class HealthNow:
    """All sources by name, every trouble (worst first), and the numbers they were judged by."""

    sources: list[SourceHealth]
    troubles: list[Trouble]
    numbers: list[Measured] = field(default_factory=list)

    def number(self, subject: str, metric: str) -> float:
        """The largest value of a metric; 0 when it was not measured."""
        found = [
            one.value for one in self.numbers if (one.subject, one.metric) == (subject, metric)
        ]
        return max(found, default=0.0)

    def ledgers(self) -> list[SourceLedger]:
        return [one.ledger for one in self.sources]


def health_now(house: Tocsin, now: datetime) -> HealthNow:
    """Measures everything and judges it by the health rules in force, without telling anyone."""
    with house.state.read() as tx:
        return _health(house, tx, now)


def with_waiting(house: Tocsin, health: HealthNow, now: datetime) -> HealthNow:
    """The same with ledgers that count what waits in the spool, which is looked through for it."""
    told = source_ledgers(house.state, house.sources, house.spool, now, house.intakes()).ledgers
    by_key = {(one.tenant, one.name): one for one in told}
    sources = [
        replace(one, ledger=by_key.pop((one.ledger.tenant, one.ledger.name), one.ledger))
        for one in health.sources
    ]
    sources += [
        SourceHealth(
            one,
            SourceRate(one.tenant, one.name),
            _troubles_of(health.troubles, one),
            owner=owner_of(one, house.assets),
        )
        for one in by_key.values()
        if one.intake is not None
    ]
    return replace(health, sources=sorted(sources, key=lambda one: one.ledger.name))


def would_blind(house: Tocsin, ledger: SourceLedger, ledgers: Sequence[SourceLedger]) -> Blinded:
    """The rules that nothing else feeds: blind while this source tells nothing."""
    return blinded_by(ledger, ledgers, house.normalizer.lanes, house.rules())


def _health(house: Tocsin, tx: Connection, now: datetime) -> HealthNow:
    measured = house.upkeep.measure(tx, now)
    troubles = sorted(
        (*_silences(measured, now), *_judged(house, measured)),
        key=lambda one: (-one.level.rank, one.subject != "platform", one.name, one.title),
    )
    hours = source_hours(tx, now, HOURS)
    sources = []
    for ledger, rate in zip(measured.ledgers, measured.rates, strict=True):
        key, own = (ledger.tenant, ledger.name), _troubles_of(troubles, ledger)
        owner = owner_of(ledger, house.assets)
        sources.append(SourceHealth(ledger, rate, own, tuple(hours.get(key, ())), owner))
    return HealthNow(sources, troubles, measured.numbers)


def _troubles_of(troubles: Sequence[Trouble], ledger: SourceLedger) -> tuple[Trouble, ...]:
    key = (ledger.tenant, ledger.name)
    return tuple(
        one for one in troubles if one.subject == "source" and (one.tenant, one.name) == key
    )


def _silences(measured: Measurements, now: datetime) -> Iterator[Trouble]:
    silent = find_silent(measured.ledgers)
    for finding in silence_findings(silent, measured.ledgers, now):
        yield Trouble(
            "source",
            finding.source,
            finding.tenant,
            "silence_s",
            finding.rule_title,
            finding.level,
            str(finding.fields["because"]),
            finding.rule_id,
        )


def _judged(house: Tocsin, measured: Measurements) -> Iterator[Trouble]:
    for one, number in troubles_in(house.ruleset.health, measured.numbers):
        yield Trouble(
            number.subject,
            number.name,
            number.tenant,
            number.metric,
            one.rule.title,
            one.rule.level,
            f"{why(one, number).removeprefix(f'{number.name}: ')}.",
            one.rule.id,
        )
