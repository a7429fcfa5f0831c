"""Stateful rules in a hunt: correlated once all files are read, in order of event time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson

from tocsin.app.hunts.hunt_evidence import Evidence, Witnessed
from tocsin.detect.correlate.correlated import Correlated
from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.correlate.limits import Limits
from tocsin.detect.correlate.turn import Turn
from tocsin.detect.hunt import HuntHit, event_json, iso_time
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.stateful_rule import CorrelationRule, StatefulRule
from tocsin.model.rule import Rule, RuleKind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NONE = Witnessed("", 0, "", "", "", "", 0, {})


class Correlations:
    """Takes the hits stateful rules need, as they come, and tells at the end what they make."""

    def __init__(self, ruleset: RuleSet) -> None:
        self._rules = {found.rule.id: found for found in ruleset.stateful}
        self._silent = ruleset.silent_verdicts
        self._correlator = Correlator(ruleset.stateful, limits=Limits(lateness=None))
        self._evidence = Evidence(ruleset)

    def add(self, piece: bytes, before: int) -> None:
        """Packed events; ``before`` records of their file precede the slice they are from."""
        self._evidence.add(piece, before)

    def hits(self) -> Iterator[tuple[Rule, HuntHit]]:
        """What holds in the end, in order of time; corrected verdicts are left out."""
        standing: dict[str, Correlated] = {}
        now = datetime.now(UTC)
        for batches in self._evidence.turns():
            turn = self._correlator.begin()
            for batch, found in batches:
                turn.take(batch, found)
            self._conclude(turn, now, standing)
        if len(self._evidence):
            self._conclude(self._correlator.begin(), now, standing, final=True)
        order = {rule_id: at for at, rule_id in enumerate(self._rules)}
        told = [one for one in standing.values() if one.rule.id not in self._silent]
        told.sort(key=lambda one: (one.time, order[one.rule.id], one.group))
        for one in told:
            yield self._rules[one.rule.id].rule, self._hit(one)

    def left_out(self) -> dict[str, int]:
        """By rule id how many events had to be forgotten to bound the memory."""
        counts = self._correlator.counts()
        return {rule_id: told.evicted for rule_id, told in counts.items() if told.evicted}

    def close(self) -> None:
        self._evidence.close()

    @staticmethod
    def _conclude(
        turn: Turn, now: datetime, standing: dict[str, Correlated], *, final: bool = False
    ) -> None:
        for one in turn.finish(now, final=final):
            standing.pop(one.supersedes, None)
            if one.retracted:
                standing.pop(one.finding_id, None)
            else:
                standing[one.finding_id] = replace(one, native={}, ocsf={})
        turn.keep()

    def _hit(self, one: Correlated) -> HuntHit:
        events = [self._evidence.witness(name) for name in one.event_ids]
        last = events[-1] if events else _NONE
        return HuntHit(
            time_us=(one.time - _EPOCH) // _MICROSECOND,
            rule_id=one.rule.id,
            source=last.source,
            host=last.host,
            file=last.file,
            record_id=last.record_id,
            ordinal=last.ordinal,
            event_id=last.event_id,
            event=event_json(last.native),
            correlation=_told(self._rules[one.rule.id], one, events),
        )


def _told(rule: StatefulRule, one: Correlated, events: list[Witnessed]) -> bytes:
    kind = rule.type.value if isinstance(rule, CorrelationRule) else RuleKind.NEW_TERMS.value
    return orjson.dumps(
        {
            "type": kind,
            "group": dict(one.group),
            "measured": one.measured,
            "because": one.because,
            "first": iso_time((one.since - _EPOCH) // _MICROSECOND),
            "last": iso_time((one.time - _EPOCH) // _MICROSECOND),
            "event_count": one.event_count,
            "events": [
                {
                    "event_id": event.event_id,
                    "time": iso_time(event.time_us),
                    "source": event.source,
                    "record_id": event.record_id or str(event.ordinal),
                    "file": event.file,
                }
                for event in events
            ],
        }
    )
