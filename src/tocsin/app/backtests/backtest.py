"""Backtests: what rules would have found in stored history, by the engine that runs them live."""

import base64
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from tocsin.app.backtests.backtest_look import Fields, Look
from tocsin.app.backtests.backtest_narrowing import FieldsRead
from tocsin.app.backtests.backtest_tally import RuleTally
from tocsin.app.flow.identity import EntitiesOf
from tocsin.app.home.history import NOT_EVALUATED, STRETCH_ROWS, Stretch, stretches
from tocsin.app.plain import as_json
from tocsin.app.rules.rule_digests import rule_digests, set_digest
from tocsin.app.rules.rule_sieve import Sieve
from tocsin.detect.correlate.correlated import Saved
from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.correlate.limits import Limits
from tocsin.detect.errors import DetectError
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.stateful_rule import CorrelationRule, CorrelationType
from tocsin.model.event import EventBatch
from tocsin.model.lane import Lane
from tocsin.store.ports import Damage, EventStore, ReplayQuery, StoreMoved
from tocsin.triage.entities import ENTITY_COLUMNS

_log = structlog.get_logger()
_FORMAT = 1
_BATCH_ROWS = 100_000
"""Rules cost much of what they cost a batch, however large: twice a segment's row group is worth it."""
_TRIES = 10
"""How often a stretch is begun anew because the store was merged meanwhile."""
_Evidence = tuple[dict[str, Fields], dict[str, Fields]]
"""By event id: native fields of some events, OCSF columns of others."""

OnProgress = Callable[[int, int], None]
"""Gets events gone through, and about how many there are in all."""


@dataclass(frozen=True, slots=True)
class BacktestPlan:
    """Which rules to try on which part of history (event time, ``start <= time < end``)."""

    ruleset: RuleSet
    start: datetime
    end: datetime
    now: datetime
    samples: int = 5
    stretch_rows: int = STRETCH_ROWS
    cache: Path | None = None

    def digest(self) -> str:
        """Equal for a plan that can go on where another one stopped."""
        return f"{set_digest(rule_digests(self.ruleset))} {self.start} {self.end}"


@dataclass(slots=True)
class BacktestCounts:
    """What a backtest has come to.

    History has been gone through from ``began`` (the plan's start, or the first stored event when
    that is later) up to ``reached``.
    """

    began: datetime
    reached: datetime
    done: bool = False
    events: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    cpu_s_by_rule: dict[str, float] = field(default_factory=dict)
    tallies: dict[str, RuleTally] = field(default_factory=dict)
    standing: dict[str, dict[str, Any]] = field(default_factory=dict)
    damage: dict[str, Damage] = field(default_factory=dict)


@dataclass(slots=True)
class _Seen:
    """What a look at one stretch gave, up to ``end``, before it counts."""

    look: Look
    end: datetime
    damage: dict[str, Damage] = field(default_factory=dict)
    memory: list[Saved] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Mark:
    """The clocks at one moment, in seconds."""

    clock: float
    cpu: float
    by_rule: Mapping[str, float]

    @classmethod
    def now(cls, engine: Engine) -> "_Mark":
        return cls(time.perf_counter(), time.process_time(), engine.cpu_s)


class Backtest:
    """One backtest. It goes through history a stretch at a time; each counts whole or not at all."""

    def __init__(
        self,
        plan: BacktestPlan,
        events: EventStore,
        lane_of: Callable[[str], Lane],
        entities_of: EntitiesOf,
    ) -> None:
        self._plan = plan
        self._events = events
        self._lane_of = lane_of
        self._entities_of = entities_of
        self._engine = Engine(plan.ruleset, plan.cache)
        self._correlator = Correlator(plan.ruleset.stateful, limits=Limits(lateness=None))
        self._memory: dict[tuple[str, str], bytes] = {}
        self._is_asked: dict[str, bool] = {}
        self._fields_read = FieldsRead(plan.ruleset)
        self._fields: dict[str, frozenset[str]] = {}
        self._pending: tuple[_Seen, Future[_Evidence]] | None = None
        self._mark = _Mark.now(self._engine)
        self.counts = BacktestCounts(plan.start, plan.start)

    def run(
        self,
        on_progress: OnProgress | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        on_stretch: Callable[[], None] | None = None,
    ) -> bool:
        """Go on to the end of the range; False when it was stopped (or Ctrl-C was pressed).

        ``on_stretch`` is called after each stretch that counts.
        """
        plan, counts = self._plan, self.counts
        if counts.done:
            return True
        segments = self._events.segments(counts.reached, plan.end)
        if segments and counts.reached == plan.start:
            counts.began = max(plan.start, segments[0].first_time)
        coming = stretches(segments, counts.reached, plan.end, plan.stretch_rows)
        total = counts.events + sum(one.rows for one in coming)
        passed = counts.events
        tell = on_progress or _no_progress
        self._mark = _Mark.now(self._engine)
        with ThreadPoolExecutor(1, thread_name_prefix="whom") as aside:
            try:
                for number, stretch in enumerate(coming):

                    def moved(done: int, before: int = passed, most: int = stretch.rows) -> None:
                        tell(before + min(done, most), total)

                    seen = self._go_through(stretch, moved, should_stop, number + 1 == len(coming))
                    self._count_pending(on_stretch)
                    if seen is None:
                        return False
                    shown, others = seen.look.asked()
                    coming_in = aside.submit(self._evidence, stretch, shown, others)
                    self._pending = seen, coming_in
                    passed += stretch.rows
                    tell(passed, total)
                self._count_pending(on_stretch)
            except KeyboardInterrupt:
                self._count_pending(on_stretch)
                return False
        counts.reached, counts.done = plan.end, True
        if on_stretch is not None:
            on_stretch()
        return True

    def state(self) -> dict[str, Any]:
        """What ``resume`` needs to go on from here."""
        counts = self.counts
        return {
            "format": _FORMAT,
            "plan": self._plan.digest(),
            "began": counts.began.isoformat(),
            "reached": counts.reached.isoformat(),
            "done": counts.done,
            "events": counts.events,
            "seconds": counts.seconds,
            "cpu_s": counts.cpu_s,
            "cpu_s_by_rule": counts.cpu_s_by_rule,
            "tallies": {rule_id: one.as_json() for rule_id, one in counts.tallies.items()},
            "standing": counts.standing,
            "damage": as_json(list(counts.damage.values())),
            "memory": [
                [rule_id, key, base64.b64encode(content).decode()]
                for (rule_id, key), content in self._memory.items()
            ],
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on where a backtest of the same plan stopped; raises DetectError for another's."""
        if state.get("format") != _FORMAT or state.get("plan") != self._plan.digest():
            raise DetectError(
                "it is of a backtest of other rules or another range of time: "
                "give the same rules and times, or another file"
            )
        self._memory = {
            (rule_id, key): base64.b64decode(text) for rule_id, key, text in state["memory"]
        }
        self._correlator.restore(
            Saved(rule_id, key, content) for (rule_id, key), content in self._memory.items()
        )
        damage = [Damage(**one) for one in state["damage"]]
        self.counts = BacktestCounts(
            began=datetime.fromisoformat(state["began"]),
            reached=datetime.fromisoformat(state["reached"]),
            done=state["done"],
            events=state["events"],
            seconds=state["seconds"],
            cpu_s=state["cpu_s"],
            cpu_s_by_rule=dict(state["cpu_s_by_rule"]),
            tallies={name: RuleTally.from_json(one) for name, one in state["tallies"].items()},
            standing=dict(state["standing"]),
            damage={one.place: one for one in damage},
        )

    def _go_through(
        self,
        stretch: Stretch,
        moved: Callable[[int], None],
        should_stop: Callable[[], bool],
        is_last: bool,
    ) -> "_Seen | None":
        """What is seen there; None when it was stopped before the end of the stretch."""
        for attempt in range(_TRIES):
            try:
                return self._look_at(stretch, moved, should_stop, is_last)
            except StoreMoved:
                if attempt == _TRIES - 1:
                    raise
                _log.info("the store was merged during a backtest; the stretch is begun anew")
        return None

    def _look_at(
        self,
        stretch: Stretch,
        moved: Callable[[int], None],
        should_stop: Callable[[], bool],
        is_last: bool,
    ) -> "_Seen | None":
        plan = self._plan
        look = Look(plan.ruleset, self._entities_of, plan.samples, self._sampled)
        seen = _Seen(look, stretch.end)
        sieve = Sieve(plan.ruleset, plan.now)
        turn = self._correlator.begin() if plan.ruleset.stateful else None
        for batch in self._batches(stretch, seen.damage):
            if should_stop():
                return None
            hits = list(sieve.hits(batch, self._engine.evaluate(batch)))
            if turn is not None:
                turn.take(batch, hits)
            look.take(batch, hits)
            moved(look.events)
        if turn is not None:
            said = turn.finish(stretch.end, final=is_last, hides=sieve.hides_group)
            within = [one for one in said if not self._is_beyond(one.rule.id, one.time)]
            look.conclude(sieve.verdicts(within, self._native_of))
            seen.memory = turn.changes()
            turn.keep()
        look.hide(sieve.hidden)
        return seen

    def _native_of(self, event_id: str) -> Mapping[str, object]:
        event = self._events.get(event_id)
        return event.native if event is not None else {}

    def _count_pending(self, on_stretch: Callable[[], None] | None) -> None:
        """Count the stretch before, whose people and machines were looked up meanwhile."""
        if self._pending is None:
            return
        seen, coming = self._pending
        native, ocsf = coming.result()
        self._pending = None
        seen.look.settle(native, ocsf)
        self._count(seen)
        if on_stretch is not None:
            on_stretch()

    def _count(self, seen: "_Seen") -> None:
        counts, look = self.counts, seen.look
        for piece in seen.memory:
            if piece.content is None:
                self._memory.pop((piece.rule_id, piece.key), None)
            else:
                self._memory[piece.rule_id, piece.key] = piece.content
        counts.events += look.events
        counts.damage.update(seen.damage)
        for rule_id, tally in look.tallies.items():
            counts.tallies.setdefault(rule_id, RuleTally()).join(tally, self._plan.samples)
        for finding_id, told in look.verdicts.items():
            if told:
                counts.standing[finding_id] = told
            else:
                counts.standing.pop(finding_id, None)
        before, self._mark = self._mark, _Mark.now(self._engine)
        counts.seconds += self._mark.clock - before.clock
        counts.cpu_s += self._mark.cpu - before.cpu
        for rule_id, spent in self._mark.by_rule.items():
            more = spent - before.by_rule.get(rule_id, 0.0)
            counts.cpu_s_by_rule[rule_id] = counts.cpu_s_by_rule.get(rule_id, 0.0) + more
        counts.reached = seen.end

    def _batches(self, stretch: Stretch, damage: dict[str, Damage]) -> Any:
        wanted = ReplayQuery(
            stretch.start,
            stretch.end,
            lanes=self._lanes(),
            native_fields=self._fields,
            ocsf_fields=ENTITY_COLUMNS,
            batch_rows=_BATCH_ROWS,
        )

        def harmed(one: Damage) -> None:
            damage[one.place] = one

        return self._events.replay(wanted, self._lane_of, harmed)

    def _lanes(self) -> frozenset[str]:
        """The lanes of history that any of the rules asks for."""
        for segment in self._events.segments(self._plan.start, self._plan.end):
            for name in segment.lanes:
                if name not in self._is_asked:
                    lane, rules = self._lane_of(name), self._plan.ruleset.rules
                    asked = any(lane.accepts(one.rule.logsource) for one in rules)
                    self._is_asked[name] = asked and name not in NOT_EVALUATED
                    fields = self._fields_read.of(lane)
                    if fields is not None:
                        self._fields[name] = fields
        return frozenset(name for name, asked in self._is_asked.items() if asked)

    def _sampled(self, rule_id: str) -> int:
        """How many events are shown of the rule so far."""
        looks = [self.counts.tallies, self._pending[0].look.tallies if self._pending else {}]
        return sum(len(one[rule_id].samples) for one in looks if rule_id in one)

    def _evidence(
        self, stretch: Stretch, shown: frozenset[str], others: frozenset[str]
    ) -> _Evidence:
        """Of ``shown`` events of the stretch, and of ``others``, for which all may be looked at."""
        for _ in range(_TRIES):
            with suppress(StoreMoved):
                of_stretch = ReplayQuery(stretch.start, stretch.end, with_ocsf=False)
                native = self._read(replace(of_stretch, event_ids=shown), EventBatch.native_rows)
                anywhere = ReplayQuery(with_native=False, ocsf_fields=ENTITY_COLUMNS)
                return native, self._read(replace(anywhere, event_ids=others), EventBatch.ocsf_rows)
        return {}, {}

    def _read(
        self, wanted: ReplayQuery, rows_of: Callable[[EventBatch, range], list[dict[str, object]]]
    ) -> dict[str, Fields]:
        found: dict[str, Fields] = {}
        if wanted.event_ids:
            for batch in self._events.replay(wanted, self._lane_of, lambda _: None):
                rows = rows_of(batch, range(len(batch)))
                found |= zip(batch.event_ids.to_pylist(), rows, strict=True)
        return found

    def _is_beyond(self, rule_id: str, moment: datetime) -> bool:
        """True of an absence that is only there because history ends before what was expected."""
        rule = next((one for one in self._plan.ruleset.stateful if one.rule.id == rule_id), None)
        is_absence = isinstance(rule, CorrelationRule) and rule.type is CorrelationType.ABSENCE
        return is_absence and moment >= self._plan.end


def _no_progress(done: int, total: int) -> None:
    """Nobody watches."""
