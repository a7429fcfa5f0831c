"""A turn of correlation: batches in, verdicts out, kept or dropped as a whole."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np

from tocsin.detect.correlate.advancing import advanced
from tocsin.detect.correlate.arrivals import Arrivals
from tocsin.detect.correlate.chaining import Handed, handed_on
from tocsin.detect.correlate.condition import because
from tocsin.detect.correlate.correlated import Correlated, Saved
from tocsin.detect.correlate.correlated_making import Wording
from tocsin.detect.correlate.forgetting import bounded, sealed, without_late
from tocsin.detect.correlate.intake import Intake
from tocsin.detect.correlate.limits import Limits
from tocsin.detect.correlate.memory import Memory
from tocsin.detect.correlate.onward import Onward
from tocsin.detect.correlate.rule_plan import RulePlan
from tocsin.detect.correlate.rule_state import RuleState
from tocsin.detect.correlate.saving import changes_between
from tocsin.detect.correlate.sharding import Part
from tocsin.detect.correlate.text_hash import TextHashes
from tocsin.detect.correlate.watermark import FOREVER
from tocsin.detect.matching.engine import Hit
from tocsin.model.event import EventBatch

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Takers = Mapping[str, Sequence[tuple[RulePlan, int]]]
HidesGroup = Callable[[str, Mapping[str, object]], bool]
"""Whether what the rule of an id says of a group (texts by field) is kept from rules that take it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What turns of the same rules share."""

    plans: Mapping[str, RulePlan]
    onward: Mapping[str, Sequence[Onward]]
    prints: Mapping[str, str]
    limits: Limits
    hashes: TextHashes
    part: Part


class Turn:
    """Works on a copy: nothing is remembered of it unless it is kept."""

    def __init__(
        self,
        frame: Frame,
        memory: Memory,
        stale: Sequence[Saved],
        keep: Callable[[Memory], None],
    ) -> None:
        self._plans = plans = frame.plans
        self._frame = frame
        self._before = memory
        self._after = memory
        self._stale = stale
        self._limits = frame.limits
        self._keep = keep
        self._progress = memory.progress
        self._onward = frame.onward
        self._intake = Intake(
            memory.names, list(memory.places), frame.hashes, frame.limits, frame.onward, frame.part
        )
        self._handed: dict[str, list[Handed]] = {}
        self._takers: dict[str, list[tuple[RulePlan, int]]] = {}
        for plan in plans.values():
            for taken, slots in plan.slots.items():
                if taken in plans and taken != plan.id:
                    continue  # a stateful rule: what it finds is handed on
                for slot in slots:
                    self._takers.setdefault(taken, []).append((plan, slot))

    def take(self, batch: EventBatch, hits: Sequence[Hit]) -> None:
        """Take in a batch and what the engine found in it, silent rules included."""
        self._progress = self._progress.seen(batch, self._limits)
        self._intake.take(batch, hits, self._takers)

    def finish(
        self, now: datetime, *, final: bool = False, hides: HidesGroup | None = None
    ) -> list[Correlated]:
        """What is to be said after all batches of the turn; call it once.

        ``now`` is the wall clock, by which idle sources go on. ``final``: everything has come,
        all windows close. What ``hides`` says of is still told here, and taken by no other rule.
        """
        wall = (now - _EPOCH) // timedelta(microseconds=1)
        self._progress = self._progress.heard(wall)
        watermark = FOREVER if final else self._progress.watermark(wall, self._limits)
        rules = dict(self._before.rules)
        said: list[Correlated] = []
        for plan in self._plans.values():
            state = rules.get(plan.id) or RuleState()
            handed = self._handed.get(plan.id, [])
            direct = self._intake.arrivals.get(plan.id, [])
            arrivals = Arrivals.of([*direct, *(one.came for one in handed)])
            gone = Arrivals.of([one.gone for one in handed])
            lost = self._intake.ungrouped.get(plan.id, 0)
            if lost:
                state = replace(state, ungrouped=state.ungrouped + lost)
            state, arrivals = without_late(state, arrivals)
            wording = partial(self._wording, plan)
            repeated = bool(handed) or plan.id in self._intake.repeated
            moved = advanced(
                plan, state, arrivals, watermark, wording, repeated=repeated, gone=gone
            )
            hidden = partial(self._is_hidden, plan, hides) if hides is not None else None
            handed_further = handed_on(plan, state, moved, self._onward, self._name_of, hidden)
            for target, changed in handed_further.items():
                self._handed.setdefault(target, []).append(changed)
            sealed_state = sealed(plan, moved.state, watermark, self._limits)
            rules[plan.id] = bounded(plan, sealed_state, self._limits)
            if plan.told:
                said += moved.said
        self._after = replace(
            self._before, rules=rules, progress=self._progress, places=tuple(self._intake.places)
        ).with_names(self._intake.names)
        return said

    def changes(self) -> list[Saved]:
        """What has to be written so that ``restore`` brings back what this turn remembers."""
        found = changes_between(self._before, self._after, self._frame.prints)
        written = {(one.rule_id, one.key) for one in found}
        return [*(one for one in self._stale if (one.rule_id, one.key) not in written), *found]

    def keep(self) -> None:
        """Remember what the turn did: the transaction has committed."""
        self._keep(self._after)

    def _is_hidden(self, plan: RulePlan, hides: HidesGroup, group: int) -> bool:
        texts = (self._group_name(group) or "").split("\0")[1:]
        return hides(plan.id, dict(zip(plan.name_fields, texts, strict=True)))

    def _group_name(self, group: int) -> str | None:
        found = self._intake.names.get(group)
        return self._intake.known_names.get(group) if found is None else found

    def _name_of(self, key: int) -> str | None:
        return self._intake.names.get(key) or self._before.names.get(key)

    def _sources_of(self, plan: RulePlan) -> Arrivals:
        """What came in this turn for a rule and those it takes."""
        found = list(self._intake.arrivals.get(plan.id, []))
        found += [
            part
            for plan_id, ways in self._onward.items()
            if any(way.target is plan for way in ways)
            for part in self._intake.arrivals.get(plan_id, [])
        ]
        none = np.zeros((0, 0), np.uint64)
        return Arrivals.of([replace(part, onward=none) for part in found])

    def _wording(self, plan: RulePlan) -> Wording:
        intake = self._intake

        def names(group: int) -> list[str]:
            return (self._group_name(group) or "").split("\0")

        return Wording(
            rule=plan.rule,
            fields=plan.name_fields,
            because=lambda measured: because(plan.source, measured),
            names=names,
            places=intake.places,
            origin=_origin_finder(self._sources_of(plan), intake),
        )


def _origin_finder(
    arrivals: Arrivals, intake: Intake
) -> Callable[[int, int], tuple[EventBatch, int] | None]:
    """Finds an event of the turn by the halves of its id."""
    order = np.argsort(arrivals.id_low)
    lows = arrivals.id_low[order]

    def find(high: int, low: int) -> tuple[EventBatch, int] | None:
        at = int(np.searchsorted(lows, np.uint64(low)))
        while at < len(lows) and int(lows[at]) == low:
            row = order[at]
            if int(arrivals.id_high[row]) == high and arrivals.origins[row] >= 0:
                return intake.origin(int(arrivals.origins[row]))
            at += 1
        return None

    return find
