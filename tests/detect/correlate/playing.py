"""Plays events to a correlator in any order and cut, and keeps what stands of its findings."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from tocsin.detect.authoring.sample_batch import batch_of, lane_for
from tocsin.detect.correlate.correlated import Correlated, Saved
from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.correlate.limits import Limits
from tocsin.detect.correlate.oracle import Episode, Taken
from tocsin.detect.correlate.sharding import Shard
from tocsin.detect.correlate.watermark import micros
from tocsin.detect.matching.engine import Hit
from tocsin.detect.rules.stateful_rule import (
    Bound,
    Comparison,
    CorrelationRule,
    CorrelationType,
    StatefulRule,
)
from tocsin.model.event import EventBatch
from tocsin.model.lane import LogSource
from tocsin.model.rule import Rule
from tocsin.model.severity import Level

START = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LANE = lane_for("windows", None, "security")
PATIENT = Limits(lateness=timedelta(days=400))


def rule_named(rule_id: str, **facts: object) -> Rule:
    return Rule(rule_id, f"Rule {rule_id}", Level.HIGH, LogSource(), **facts)  # type: ignore[arg-type]


def correlation(
    type_: str,
    *bounds: tuple[str, float],
    rules: Sequence[str] = ("logon",),
    within_s: float = 60,
    by: Sequence[str] = ("user",),
    rule_id: str = "correlation",
    **facts: object,
) -> CorrelationRule:
    return CorrelationRule(
        rule_named(rule_id),
        CorrelationType(type_),
        tuple(rules),
        timedelta(seconds=within_s),
        tuple(by),
        bounds=tuple(Bound(Comparison(name), value) for name, value in bounds),
        **facts,  # type: ignore[arg-type]
    )


def event(number: int, at_s: float, *hits: str, tenant: str = "default", **native: object) -> Taken:
    time = micros(START - EPOCH) + round(at_s * 1_000_000)
    return Taken(f"00000000-0000-7000-8000-{number:012x}", time, frozenset(hits), native, tenant)


def received(one: Taken, at_s: float) -> Taken:
    """The event, received at another time than its own."""
    return replace(one, native={**one.native, "_received_s": at_s})


def batch_with(events: Sequence[Taken], source: str = "dc01") -> tuple[EventBatch, list[Hit]]:
    """A batch of events of one tenant, and its hits."""
    times = [EPOCH + timedelta(microseconds=one.time) for one in events]
    batch = replace(
        batch_of(LANE, [one.native for one in events], times=times),
        event_ids=pa.array([one.id for one in events], pa.string()),
        sources=pa.array([source] * len(events), pa.string()),
        tenant=events[0].tenant if events else "default",
        ingested_at=pa.array([_received(one) for one in events], pa.timestamp("us", "UTC")),
    )
    rows: dict[str, list[int]] = {}
    for row, one in enumerate(events):
        for hit in one.hits:
            rows.setdefault(hit, []).append(row)
    return batch, [Hit(rule_named(rule_id), tuple(found)) for rule_id, found in rows.items()]


def _received(one: Taken) -> datetime:
    at_s = one.native.get("_received_s")
    if isinstance(at_s, int | float):
        return START + timedelta(seconds=at_s)
    return EPOCH + timedelta(microseconds=one.time)


class Stream:
    """A correlator, what it wanted saved, and the findings that stand."""

    def __init__(
        self, rules: Sequence[StatefulRule], limits: Limits = PATIENT, shard: Shard | None = None
    ) -> None:
        self._rules = rules
        self._limits = limits
        self._shard = shard
        self.correlator = Correlator(rules, limits=limits, shard=shard)
        self.saved: dict[tuple[str, str], bytes] = {}
        self.standing: dict[str, Correlated] = {}
        self.said: list[Correlated] = []
        self.now = START

    def turn(
        self, *batches: Sequence[Taken], final: bool = False, dropped: bool = False
    ) -> list[Correlated]:
        turn = self.correlator.begin()
        for events in batches:
            for tenant in sorted({one.tenant for one in events}):
                turn.take(*batch_with([one for one in events if one.tenant == tenant]))
        said = turn.finish(self.now, final=final)
        changes = turn.changes()
        if dropped:
            return said
        turn.keep()
        for one in changes:
            self._save(one)
        for found in said:
            if found.supersedes:
                del self.standing[found.supersedes]
            if not found.retracted:
                assert found.finding_id not in self.standing
                self.standing[found.finding_id] = found
        self.said += said
        return said

    def replace(self, rules: Sequence[StatefulRule]) -> None:
        """Put other rules in force while running."""
        self._rules = rules
        self.correlator.replace(rules)

    def restart(self) -> None:
        """Go on in a new process with what was saved."""
        self.correlator = Correlator(self._rules, limits=self._limits, shard=self._shard)
        self.correlator.restore(
            Saved(rule_id, key, content) for (rule_id, key), content in self.saved.items()
        )

    def episodes(self) -> list[Episode]:
        return sorted(episode_in(found) for found in self.standing.values())

    def _save(self, one: Saved) -> None:
        if one.content is None:
            del self.saved[one.rule_id, one.key]
        else:
            self.saved[one.rule_id, one.key] = one.content


def episode_in(found: Correlated) -> Episode:
    group = (found.tenant, *(text for _, text in found.group))
    since, last = micros(found.since - EPOCH), micros(found.time - EPOCH)
    return Episode(
        found.rule.id, group, since, last, found.event_count, found.measured, found.event_ids
    )


def field_values(found: Correlated) -> Mapping[str, str]:
    return dict(found.group)
