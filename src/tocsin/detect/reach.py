"""Whether a rule can match what arrives; if not, what it waits for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tocsin.detect.match_rule import SigmaMatchRule
from tocsin.detect.matcher import KEYWORD, All, Any, Matcher, Node, Operator
from tocsin.detect.ruleset import RuleSet
from tocsin.detect.stateful_rule import CorrelationRule, CorrelationType, StatefulRule
from tocsin.model.lane import Lane

_NAMED = 3


class Obstacle(StrEnum):
    """Why a rule can't match."""

    NO_LANE = "no connector knows its log source"
    NO_SOURCE = "no source has sent such events"
    UNSEEN_FIELD = "a field it needs was never seen"
    BASE = "a rule it builds on can't match"


@dataclass(frozen=True, slots=True)
class Reach:
    """One rule's verdict. ``obstacle`` None: it can match events of ``sources``.

    ``reason`` says in words what is missing, empty when nothing is; ``fields`` are those that
    would have to be seen.
    """

    rule_id: str
    obstacle: Obstacle | None = None
    reason: str = ""
    sources: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    @property
    def can_match(self) -> bool:
        return self.obstacle is None


SeenFields = Mapping[str, Mapping[str, frozenset[str]]]
"""By lane id, by source: the paths of native fields that ever had a value."""


def reach_of(ruleset: RuleSet, lanes: Sequence[Lane], seen: SeenFields) -> dict[str, Reach]:
    """The verdict on every match and stateful rule by its id. Health rules need no events."""
    found = {one.rule.id: _of_match(one, lanes, seen) for one in ruleset.rules}
    waiting = {one.rule.id: one for one in ruleset.stateful}
    for one in ruleset.stateful:
        _of_stateful(one, found, waiting, ruleset)
    return found


def _of_match(found: SigmaMatchRule, lanes: Sequence[Lane], seen: SeenFields) -> Reach:
    rule = found.rule
    accepting = [lane for lane in lanes if lane.accepts(rule.logsource)]
    if not accepting:
        parts = (rule.logsource.product, rule.logsource.category, rule.logsource.service)
        asked = "/".join(part or "*" for part in parts)
        return Reach(rule.id, Obstacle.NO_LANE, f"no connector answers for log source {asked}")
    sending = [(lane, source) for lane in accepting for source in sorted(seen.get(lane.id, ()))]
    if not sending:
        names = _some(lane.id for lane in accepting)
        return Reach(rule.id, Obstacle.NO_SOURCE, f"nothing has come in for {names}")
    missing: dict[tuple[str, ...], str] = {}
    able: dict[str, None] = {}
    for lane, source in sending:
        lacking = _lacking(found.condition, seen[lane.id][source])
        if lacking is None:
            able[source] = None
        else:
            missing.setdefault(lacking, source)
    if able:
        return Reach(rule.id, sources=tuple(able))
    fields, _ = min(missing.items(), key=lambda item: (len(item[0]), item[0]))
    sources = _some(dict.fromkeys(source for _, source in sending))
    one_of = "one of " if len(fields) > 1 else ""
    reason = f"needs {one_of}{_some(fields)}, never seen from {sources}"
    return Reach(rule.id, Obstacle.UNSEEN_FIELD, reason, fields=fields)


def _lacking(node: Node, fields: frozenset[str]) -> tuple[str, ...] | None:
    """The unseen fields of which one at least would have to be seen; None when it can hold."""
    if isinstance(node, Matcher):
        if node.operator is Operator.NULL or node.field == KEYWORD or node.field in fields:
            return None
        return (node.field,)
    if isinstance(node, All):
        lacking = [_lacking(part, fields) for part in node.parts]
        return min((part for part in lacking if part is not None), key=len, default=None)
    if isinstance(node, Any):
        lacking = [_lacking(part, fields) for part in node.parts]
        if any(part is None for part in lacking):
            return None
        return tuple(dict.fromkeys(name for part in lacking for name in part or ()))
    return None  # what must not hold is no need


def _of_stateful(
    one: StatefulRule,
    found: dict[str, Reach],
    waiting: Mapping[str, StatefulRule],
    ruleset: RuleSet,
) -> None:
    """Put the verdict on ``one`` (and on those it builds on) into ``found``."""
    if not isinstance(one, CorrelationRule):
        base = found.get(one.rule.id, Reach(one.rule.id))
        found[one.rule.id] = base
        return
    for base_id in one.rules:
        base_rule = waiting.get(base_id)
        if base_id not in found and base_rule is not None and base_rule is not one:
            _of_stateful(base_rule, found, waiting, ruleset)
    bases = [found[base_id] for base_id in one.rules if base_id in found]
    blocked = [base for base in bases if not base.can_match]
    sources = tuple(dict.fromkeys(source for base in bases for source in base.sources))
    if blocked and (_needs_all(one) or len(blocked) == len(bases)):
        title = ruleset.rule(blocked[0].rule_id)
        name = title.title if title else blocked[0].rule_id
        reason = f"builds on “{name}”, which can't match: {blocked[0].reason}"
        fields = blocked[0].fields
        found[one.rule.id] = Reach(one.rule.id, Obstacle.BASE, reason, fields=fields)
    else:
        found[one.rule.id] = Reach(one.rule.id, sources=sources)


def _needs_all(one: CorrelationRule) -> bool:
    """An absence needs its trigger alone, but one that can never be answered always fires."""
    kinds = (CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED, CorrelationType.ABSENCE)
    return one.type in kinds


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    shown = ", ".join(listed[:_NAMED])
    return shown if len(listed) <= _NAMED else f"{shown} and {len(listed) - _NAMED} more"
