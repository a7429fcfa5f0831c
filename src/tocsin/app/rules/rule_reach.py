"""Whether each rule can match what has come in, judged anew when rules or fields have changed."""

import threading
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection

from tocsin.app.rules.hunt_selection import selected
from tocsin.detect.explaining.field_gaps import FieldGap, field_gaps
from tocsin.detect.explaining.reach import Reach, reach_of
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.ingest.sources.seen_fields import Fields, SeenFields
from tocsin.model.lane import Lane
from tocsin.store.ports import StateStore


class ReachBoard:
    """The verdicts on all rules; for any thread."""

    def __init__(
        self,
        state: StateStore,
        ruleset: Callable[[], RuleSet],
        lanes: Callable[[], Sequence[Lane]],
        seen: SeenFields,
        at_present: Callable[[Mapping[str, Reach]], Mapping[str, Reach]] = lambda found: found,
    ) -> None:
        """``at_present`` adds what keeps rules from matching for the moment."""
        self._state = state
        self._ruleset = ruleset
        self._lanes = lanes
        self._seen = seen
        self._at_present = at_present
        self._one = threading.Lock()
        self._as_of: object = None
        self._fields: Fields = {}
        self._judged: tuple[RuleSet, Sequence[Lane], Fields] | None = None
        self._found: Mapping[str, Reach] = {}

    def verdicts(self) -> Mapping[str, Reach]:
        """By rule id, of every match and stateful rule; health rules need no events."""
        with self._one:
            ruleset, lanes, fields = self._ruleset(), self._lanes(), self._newest_fields()
            judged = self._judged
            if judged is None or judged[0] is not ruleset or judged[1:] != (lanes, fields):
                self._found = reach_of(ruleset, lanes, fields)
                self._judged = ruleset, lanes, fields
            return self._at_present(self._found)

    def fields(self, tx: Connection) -> Fields:
        """By lane and source of every tenant, the fields that ever had a value.

        A source of another tenant than the default one is named ``tenant/source``.
        """
        found: Fields = {}
        for tenant in self._seen.tenants(tx):
            for lane, by_source in self._seen.fields(tx, tenant).items():
                of_lane = found.setdefault(lane, {})
                for source, fields in by_source.items():
                    of_lane[source if tenant == "default" else f"{tenant}/{source}"] = fields
        return found

    def shown_to(self, rule_id: str) -> frozenset[str]:
        """Fields that events a rule looks at ever had, of all sources, and those it groups by.

        Empty when nothing it looks at has come in, or no such rule looks at events.
        """
        needed = selected(self._ruleset(), rules=[rule_id])
        with self._one:
            lanes, seen = self._lanes(), self._newest_fields()
        accepted = {
            lane.id for one in needed.rules for lane in lanes if lane.accepts(one.rule.logsource)
        }
        found = {name for lane in accepted for of in seen.get(lane, {}).values() for name in of}
        if found:
            found |= {name for one in needed.stateful for name in one.group_by}
        return frozenset(found)

    def gaps(self) -> list[FieldGap]:
        """Fields that rules wait for, those that would wake the most first."""
        with self._state.read() as tx:
            fields = self.fields(tx)
        return field_gaps(self._ruleset(), self._lanes(), fields)

    def _newest_fields(self) -> Fields:
        """Read anew only when some source was looked at since."""
        with self._state.read() as tx:
            as_of = self._seen.as_of(tx)
            if as_of != self._as_of:
                self._fields, self._as_of = self.fields(tx), as_of
        return self._fields
