"""Why a rule finds an event or not: its log source, every part of its condition, its window."""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.app.explaining.given_event import GivenEvent
from tocsin.app.rules.rule_words import looked_for
from tocsin.detect.explaining.blame import blame
from tocsin.detect.explaining.explanation import Explained, explain_all
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.stateful_rule import CorrelationRule, NewTermsRule, StatefulRule
from tocsin.model.field_path import values_at
from tocsin.model.lane import Answer, Lane, LogSource


@dataclass(frozen=True, slots=True)
class Grouped:
    """A field by which a rule over several events groups or measures, and the event's values."""

    name: str
    field: str
    values: tuple[str, ...]
    purpose: str


@dataclass(frozen=True, slots=True)
class RuleExplanation:
    """One rule on one event.

    ``matches``: the engine would find (for a rule over several events: count) the event.
    ``sees_lane``: the rule looks at events of this lane at all, and ``lane`` says in words why.
    ``blamed`` are sentences, the smallest blame first. ``parts`` is None for rules that look at
    several events; those have the rules they take in ``bases``, and ``grouped`` by what.
    ``hidden_by`` says which exception keeps a match from being a finding.
    """

    rule_id: str
    title: str
    kind: str
    matches: bool
    sees_lane: bool
    lane: str
    blamed: tuple[str, ...] = ()
    parts: Explained | None = None
    looks_for: str = ""
    grouped: tuple[Grouped, ...] = ()
    bases: tuple["RuleExplanation", ...] = ()
    window: tuple[str, ...] = ()
    hidden_by: str = ""


def explain_rule(ruleset: RuleSet, rule_id: str, event: GivenEvent) -> RuleExplanation | None:
    """The rule of that id on ``event``; None when no such rule looks at events."""
    stateful = next((one for one in ruleset.stateful if one.rule.id == rule_id), None)
    if stateful is not None:
        return _of_stateful(ruleset, stateful, event, ())
    found = ruleset.by_id(rule_id)
    return _of_match(found, event) if found is not None else None


def _of_match(found: SigmaMatchRule, event: GivenEvent) -> RuleExplanation:
    rule = found.rule
    parts = explain_all(found, event.native)
    sees = event.lane is not None and event.lane.accepts(rule.logsource)
    lane = lane_in_words(rule.logsource, event.lane)
    because = (*(() if sees else (f"the rule never sees this event: {lane}",)), *blame(parts))
    return RuleExplanation(
        *(rule.id, rule.title, rule.kind.value, sees and parts.held, sees, lane),
        blamed=because,
        parts=parts,
    )


def _of_stateful(
    ruleset: RuleSet, one: StatefulRule, event: GivenEvent, above: Sequence[str]
) -> RuleExplanation:
    rule = one.rule
    bases: list[RuleExplanation] = []
    counted = False
    needed: dict[Grouped, None] = {}
    for base_id in one.rules if isinstance(one, CorrelationRule) else (rule.id,):
        base = _base(ruleset, one, base_id, event, (*above, rule.id))
        if base is None:
            continue
        bases.append(base)
        grouped = _grouped(one, base_id, event) if base.matches else ()
        needed.update(dict.fromkeys(grouped))
        counted = counted or (base.matches and all(part.values for part in grouped))
    lacking = [f"no value in {part.field}, {part.purpose}" for part in needed if not part.values]
    unmatched = [f"“{base.title}”: {words}" for base in bases for words in base.blamed[:1]]
    return RuleExplanation(
        *(rule.id, rule.title, rule.kind.value, counted),
        sees_lane=any(base.sees_lane for base in bases),
        lane="; ".join(dict.fromkeys(base.lane for base in bases)),
        blamed=() if counted else tuple([*lacking, *unmatched]),
        looks_for=looked_for(one, lambda named: _title(ruleset, named)),
        grouped=tuple(needed),
        bases=tuple(bases),
    )


def _base(
    ruleset: RuleSet, one: StatefulRule, base_id: str, event: GivenEvent, above: Sequence[str]
) -> RuleExplanation | None:
    if isinstance(one, CorrelationRule) and base_id not in above:
        over = next((other for other in ruleset.stateful if other.rule.id == base_id), None)
        if over is not None:
            return _of_stateful(ruleset, over, event, above)
    found = ruleset.by_id(base_id)
    return _of_match(found, event) if found is not None else None


def _grouped(one: StatefulRule, base_id: str, event: GivenEvent) -> tuple[Grouped, ...]:
    aliases = one.aliases if isinstance(one, CorrelationRule) else {}
    measures = "whose new values it looks for" if isinstance(one, NewTermsRule) else "measured"
    purposes = [(name, "by which it groups") for name in one.group_by]
    purposes += [(name, measures) for name in one.fields]
    found = []
    for name, purpose in purposes:
        field = aliases.get(name, {}).get(base_id, name)
        values = tuple(str(v) for v in values_at(event.native, field) or [] if v is not None)
        found.append(Grouped(name, field, values, purpose))
    return tuple(found)


def _title(ruleset: RuleSet, named: str) -> str:
    rule = ruleset.rule(named)
    return rule.title if rule is not None else named


def lane_in_words(asked: LogSource, lane: Lane | None) -> str:
    """What the rule asks for and what the event's lane is."""
    wanted = ", ".join(
        f"{name} {value}"
        for name in ("product", "category", "service")
        if (value := getattr(asked, name)) is not None
    )
    asks = f"the rule asks for {wanted or 'any log source'}"
    if lane is None:
        return (
            f"{asks}; no connector knows events like this one: give a record as its source sends "
            "it, or the id of a stored event"
        )
    answers = "; also ".join(_answer_in_words(answer) for answer in lane.answers)
    return f"{asks}; the event came in as {lane.id} ({answers})"


def _answer_in_words(answer: Answer) -> str:
    words = [f"product {answer.product}"]
    if answer.categories:
        words.append(f"category {' or '.join(answer.categories)}")
    if answer.services:
        words.append(f"service {' or '.join(answer.services)}")
    return ", ".join(words)
