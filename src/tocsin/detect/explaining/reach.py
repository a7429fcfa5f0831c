"""Whether a rule can match what arrives; if not, what it waits for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import (
    FIELD_REFERENCES,
    KEYWORD,
    All,
    Any,
    Matcher,
    Node,
    Operator,
    matchers_in,
)
from tocsin.detect.rules.stateful_rule import CorrelationRule, CorrelationType, StatefulRule
from tocsin.model.lane import Lane, LogSource

_NAMED = 3


class Obstacle(StrEnum):
    """Why a rule can't match."""

    NO_LANE = "no connector knows its log source"
    NO_SOURCE = "no source has sent such events"
    UNSEEN_FIELD = "a field it needs was never seen"
    BASE = "a rule it builds on can't match"
    OVER_BUDGET = "it used up its processor time and pauses"


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
    ground = Ground(ruleset, lanes, seen)
    found = {one.rule.id: _of_match(one, ground) for one in ruleset.rules}
    waiting = {one.rule.id: one for one in ruleset.stateful}
    begun: set[str] = set()
    for one in ruleset.stateful:
        _of_stateful(one, found, waiting, begun, ground)
    return found


class Ground:
    """What has come in, as rules look at it: sources that show them the same are taken as one."""

    def __init__(self, ruleset: RuleSet, lanes: Sequence[Lane], seen: SeenFields) -> None:
        self.ruleset = ruleset
        self._lanes = lanes
        self._seen = seen
        self._asked = _asked_fields(ruleset)
        self._accepting: dict[LogSource, list[Lane]] = {}
        self._shown: dict[str, list[tuple[frozenset[str], list[str]]]] = {}

    def accepting(self, logsource: LogSource) -> list[Lane]:
        """The lanes that answer for a log source."""
        if logsource not in self._accepting:
            found = [lane for lane in self._lanes if lane.accepts(logsource)]
            self._accepting[logsource] = found
        return self._accepting[logsource]

    def shown(self, lane_id: str) -> list[tuple[frozenset[str], list[str]]]:
        """The fields that some rule asks for, of each group of sources that shows the same."""
        if lane_id not in self._shown:
            groups: dict[frozenset[str], list[str]] = {}
            for source, fields in sorted(self._seen.get(lane_id, {}).items()):
                groups.setdefault(fields & self._asked, []).append(source)
            self._shown[lane_id] = list(groups.items())
        return self._shown[lane_id]


def _asked_fields(ruleset: RuleSet) -> frozenset[str]:
    asked = {
        name
        for rule in ruleset.rules
        for one in matchers_in(rule.condition)
        for name in _fields_in(one)
    }
    for rule in ruleset.stateful:
        asked.update(rule.fields, rule.group_by)
        if isinstance(rule, CorrelationRule):
            asked.update(name for of in rule.aliases.values() for name in of.values())
    return frozenset(asked)


def _of_match(found: SigmaMatchRule, ground: Ground, also: Sequence[str] = ()) -> Reach:
    """``also`` are fields that whoever takes the rule's hits needs of them."""
    rule = found.rule
    accepting = ground.accepting(rule.logsource)
    if not accepting:
        parts = (rule.logsource.product, rule.logsource.category, rule.logsource.service)
        asked = "/".join(part or "*" for part in parts)
        return Reach(rule.id, Obstacle.NO_LANE, f"no connector answers for log source {asked}")
    missing: dict[tuple[str, ...], None] = {}
    able: dict[str, None] = {}
    sending: dict[str, None] = {}
    for lane in accepting:
        for fields, sources in ground.shown(lane.id):
            sending.update(dict.fromkeys(sources))
            lacking = lacking_fields(found.condition, fields, also)
            if lacking is None:
                able.update(dict.fromkeys(sources))
            else:
                missing.setdefault(lacking)
    if able:
        return Reach(rule.id, sources=tuple(able))
    if not sending:
        names = _some(lane.id for lane in accepting)
        return Reach(rule.id, Obstacle.NO_SOURCE, f"nothing has come in for {names}")
    fewest = min(missing, key=lambda names: (len(names), names))
    one_of = "one of " if len(fewest) > 1 else ""
    reason = f"needs {one_of}{_some(fewest)}, never seen from {_some(sending)}"
    return Reach(rule.id, Obstacle.UNSEEN_FIELD, reason, fields=fewest)


def lacking_fields(
    node: Node, fields: frozenset[str], also: Sequence[str] = ()
) -> tuple[str, ...] | None:
    """The unseen fields of which one at least would have to be seen; None when it can hold.

    ``also`` are fields that are needed besides the condition.
    """
    lacking = _lacking(node, fields)
    unseen = next(((name,) for name in also if name not in fields), None)
    return unseen if lacking is None else lacking


def _lacking(node: Node, fields: frozenset[str]) -> tuple[str, ...] | None:
    """The unseen fields of which one at least would have to be seen; None when it can hold."""
    if isinstance(node, Matcher):
        if node.operator is Operator.NULL or node.field == KEYWORD:
            return None
        return next(((name,) for name in _fields_in(node) if name not in fields), None)
    if isinstance(node, All):
        lacking = [_lacking(part, fields) for part in node.parts]
        return min((part for part in lacking if part is not None), key=len, default=None)
    if isinstance(node, Any):
        lacking = [_lacking(part, fields) for part in node.parts]
        if any(part is None for part in lacking):
            return None
        return tuple(dict.fromkeys(name for part in lacking for name in part or ()))
    return None  # what must not hold is no need


def _fields_in(matcher: Matcher) -> tuple[str, ...]:
    """What it looks at, and what it compares that with."""
    others = tuple(matcher.values) if matcher.operator in FIELD_REFERENCES else ()
    return (matcher.field, *others)


def _of_stateful(
    one: StatefulRule,
    found: dict[str, Reach],
    waiting: Mapping[str, StatefulRule],
    begun: set[str],
    ground: Ground,
) -> None:
    """Put the verdict on ``one`` (and on those it builds on) into ``found``."""
    if one.rule.id in begun:
        return
    begun.add(one.rule.id)
    if not isinstance(one, CorrelationRule):
        base = ground.ruleset.by_id(one.rule.id)
        also = (*one.fields, *one.group_by)
        found[one.rule.id] = _of_match(base, ground, also) if base else Reach(one.rule.id)
        return
    bases = []
    for base_id in one.rules:
        base_rule = waiting.get(base_id)
        if base_rule is not None:
            _of_stateful(base_rule, found, waiting, begun, ground)
        base = ground.ruleset.by_id(base_id)
        if base is not None and base_rule is None:
            bases.append(_of_match(base, ground, _needed_of(one, base_id)))
        elif base_id in found:
            bases.append(found[base_id])
    found[one.rule.id] = _of_bases(one, bases, ground.ruleset)


def _needed_of(one: CorrelationRule, base_id: str) -> tuple[str, ...]:
    """The fields by which a correlation groups and measures the hits of one of its rules."""
    names = (*one.group_by, *one.fields)
    return tuple(one.aliases.get(name, {}).get(base_id, name) for name in names)


def _of_bases(one: CorrelationRule, bases: Sequence[Reach], ruleset: RuleSet) -> Reach:
    blocked = [base for base in bases if not base.can_match]
    if not blocked or not (_needs_all(one) or len(blocked) == len(bases)):
        sources = tuple(dict.fromkeys(source for base in bases for source in base.sources))
        return Reach(one.rule.id, sources=sources)
    rule = ruleset.rule(blocked[0].rule_id)
    name = rule.title if rule else blocked[0].rule_id
    reason = f"builds on “{name}”, which gives it nothing: {blocked[0].reason}"
    return Reach(one.rule.id, Obstacle.BASE, reason, fields=blocked[0].fields)


def _needs_all(one: CorrelationRule) -> bool:
    """An absence needs its trigger alone, but one that can never be answered always fires."""
    kinds = (CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED, CorrelationType.ABSENCE)
    return one.type in kinds


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    shown = ", ".join(listed[:_NAMED])
    return shown if len(listed) <= _NAMED else f"{shown} and {len(listed) - _NAMED} more"
