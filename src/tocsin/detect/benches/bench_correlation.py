"""The correlation benchmark: twenty stateful rules over match rules of its own."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.matching.engine import Hit
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import Matcher, Operator
from tocsin.detect.rules.stateful_rule import Bound, Comparison, CorrelationRule, CorrelationType
from tocsin.model.event import EventBatch
from tocsin.model.lane import LogSource
from tocsin.model.rule import Rule, RuleKind
from tocsin.model.severity import Level

_PROCESSES = LogSource("windows", "process_creation")
_BASES = {
    "bench-discovery": ("\\whoami.exe", "\\nltest.exe", "\\net.exe"),
    "bench-execution": ("\\powershell.exe", "\\rundll32.exe", "\\certutil.exe"),
    "bench-persistence": ("\\schtasks.exe",),
    "bench-impact": ("\\vssadmin.exe",),
}
_TWO = ("bench-discovery", "bench-execution")
_AT_LEAST = Comparison.GREATER_EQUAL
_C = CorrelationType
_TWENTY: tuple[tuple[CorrelationType, tuple[str, ...], tuple[str, ...], float, tuple[str, ...]], ...] = (
    (_C.EVENT_COUNT, ("bench-discovery",), ("Computer",), 400, ()),
    (_C.EVENT_COUNT, ("bench-execution",), ("User",), 300, ()),
    (_C.EVENT_COUNT, ("bench-execution",), ("Computer", "User"), 40, ()),
    (_C.EVENT_COUNT, ("bench-persistence",), ("Computer",), 120, ()),
    (_C.EVENT_COUNT, ("bench-impact",), (), 4000, ()),
    (_C.EVENT_COUNT, _TWO, ("Image",), 5000, ()),
    (_C.VALUE_COUNT, ("bench-discovery",), ("Computer",), 59, ("User",)),
    (_C.VALUE_COUNT, ("bench-execution",), ("User",), 39, ("Computer",)),
    (_C.VALUE_COUNT, ("bench-impact",), ("Computer",), 58, ("User",)),
    (_C.VALUE_SUM, ("bench-discovery",), ("Computer",), 5e6, ("ProcessId",)),
    (_C.VALUE_SUM, ("bench-impact",), ("User",), 5e6, ("ProcessId",)),
    (_C.VALUE_AVG, ("bench-execution",), ("Computer",), 45_000, ("ProcessId",)),
    (_C.VALUE_AVG, ("bench-persistence",), ("User",), 50_000, ("ProcessId",)),
    (_C.VALUE_PERCENTILE, ("bench-discovery",), ("Computer",), 59_990, ("ProcessId",)),
    (_C.VALUE_MEDIAN, ("bench-execution",), ("Computer",), 45_000, ("ProcessId",)),
    (_C.TEMPORAL, ("bench-discovery", "bench-impact"), ("Computer", "User"), 0, ()),
    (_C.TEMPORAL, ("bench-persistence", "bench-impact"), ("User",), 0, ()),
    (_C.TEMPORAL_ORDERED, ("bench-discovery", "bench-execution", "bench-impact"), ("Computer",), 0, ()),
    (_C.TEMPORAL_ORDERED, ("bench-execution", "bench-persistence"), ("Computer", "User"), 0, ()),
    (_C.ABSENCE, ("bench-persistence", "bench-impact"), ("Computer",), 0, ()),
)  # fmt: skip
_UNBOUND = (_C.TEMPORAL, _C.TEMPORAL_ORDERED, _C.ABSENCE)


class CorrelationBench:
    """Gives every batch's hits to a correlator, a turn a batch, and takes the time."""

    def __init__(self) -> None:
        self._correlator = Correlator(stateful_rules())
        self._seconds = 0.0
        self._cpu_s = 0.0
        self._hits = 0
        self._said = 0

    @staticmethod
    def ruleset() -> RuleSet:
        """The match rules the twenty are about."""
        rules = tuple(
            SigmaMatchRule(
                Rule(id=name, title=name, level=Level.LOW, logsource=_PROCESSES),
                Matcher("Image", Operator.ENDSWITH, endings),
            )
            for name, endings in _BASES.items()
        )
        return RuleSet(rules, silent=frozenset(_BASES))

    def take(self, batch: EventBatch, hits: Sequence[Hit]) -> None:
        """One turn: the batch, then what there is to be said and written."""
        now = datetime.now(UTC)
        began, began_cpu = time.perf_counter(), time.thread_time()
        turn = self._correlator.begin()
        turn.take(batch, hits)
        self._said += len(turn.finish(now))
        turn.changes()
        turn.keep()
        self._seconds += time.perf_counter() - began
        self._cpu_s += time.thread_time() - began_cpu
        self._hits += sum(len(hit.rows) for hit in hits)

    def told(self, events: int) -> dict[str, object]:
        """``correlation_events_per_s``: of all events, the hits among them correlated, alone."""
        counts = self._correlator.counts().values()
        return {
            "correlations": len(_TWENTY),
            "correlation_events_per_s": round(events / self._seconds) if self._seconds else 0,
            "correlation_events_per_cpu_s": round(events / self._cpu_s) if self._cpu_s else 0,
            "correlation_hits_per_s": round(self._hits / self._seconds) if self._seconds else 0,
            "correlated": self._said,
            "correlation_state_bytes": sum(one.size_bytes for one in counts),
        }


def stateful_rules() -> tuple[CorrelationRule, ...]:
    """Twenty correlations of all types."""
    return tuple(
        CorrelationRule(
            rule=Rule(
                id=f"bench-correlation-{number}",
                title=f"{kind.value} {number}",
                level=Level.MEDIUM,
                logsource=_PROCESSES,
                kind=RuleKind.ABSENCE if kind is _C.ABSENCE else RuleKind.CORRELATION,
            ),
            type=kind,
            rules=rules,
            timespan=timedelta(minutes=5),
            group_by=group_by,
            bounds=() if kind in _UNBOUND else (Bound(_AT_LEAST, least),),
            fields=fields,
            percentile=95.0,
        )
        for number, (kind, rules, group_by, least, fields) in enumerate(_TWENTY)
    )
