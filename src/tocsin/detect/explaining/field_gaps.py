"""Fields that rules ask for and no source has shown, by what seeing them would wake."""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.detect.explaining.reach import Ground, SeenFields, lacking_fields
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import KEYWORD, All, Any, Matcher, Node, Operator
from tocsin.model.lane import Lane


@dataclass(frozen=True, slots=True)
class FieldGap:
    """A field never seen in ``lane``, by ids of match rules that can't match now.

    ``wakes`` are those that could match were it seen, ``asking`` all that need it, alone or with
    others.
    """

    lane: str
    field: str
    wakes: tuple[str, ...]
    asking: tuple[str, ...]


def field_gaps(ruleset: RuleSet, lanes: Sequence[Lane], seen: SeenFields) -> list[FieldGap]:
    """The gaps of lanes that have sources, those that would wake the most rules first."""
    ground = Ground(ruleset, lanes, seen)
    wakes: dict[tuple[str, str], dict[str, None]] = {}
    asking: dict[tuple[str, str], dict[str, None]] = {}
    for rule in ruleset.rules:
        for (lane, field), alone in _gaps_of(rule, ground).items():
            asking.setdefault((lane, field), {})[rule.rule.id] = None
            if alone:
                wakes.setdefault((lane, field), {})[rule.rule.id] = None
    found = [
        FieldGap(lane, field, tuple(wakes.get((lane, field), ())), tuple(of))
        for (lane, field), of in asking.items()
    ]
    return sorted(found, key=lambda gap: (-len(gap.wakes), -len(gap.asking), gap.lane, gap.field))


def _gaps_of(rule: SigmaMatchRule, ground: Ground) -> dict[tuple[str, str], bool]:
    """By lane and field, whether seeing it is enough; nothing when the rule can match already."""
    found: dict[tuple[str, str], bool] = {}
    for lane in ground.accepting(rule.rule.logsource):
        for fields, _ in ground.shown(lane.id):
            if lacking_fields(rule.condition, fields) is None:
                return {}
            for name in _wanted(rule.condition):
                if name not in fields:
                    enough = lacking_fields(rule.condition, fields | {name}) is None
                    found[lane.id, name] = found.get((lane.id, name), False) or enough
    return found


def _wanted(node: Node) -> set[str]:
    """The fields whose values can help the condition to hold."""
    if isinstance(node, Matcher):
        is_needed = node.operator is not Operator.NULL and node.field != KEYWORD
        return {node.field} if is_needed else set()
    if isinstance(node, All | Any):
        return set().union(*(_wanted(part) for part in node.parts))
    return set()
