"""Finding the rules that correlations name, across files; unknown ones and cycles are refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tocsin.detect.errors import Unsupported
from tocsin.detect.reading.reading_on_demand import Pipelines, reading
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.rule_draft import CorrelationDraft, HealthDraft, NewTermsDraft, RuleRead
from tocsin.detect.rules.stateful_rule import CorrelationRule
from tocsin.model.lane import LogSource
from tocsin.model.rule import RuleProblem


@dataclass(frozen=True, slots=True)
class LinkedCorrelations:
    """Correlations by id with ids in place of names, and the ids that give no findings."""

    correlations: Mapping[str, CorrelationRule]
    silent: frozenset[str]


class _Refused(Exception):
    def __init__(self, reason: str, place: str = "", line: int = 0) -> None:
        super().__init__(reason)
        self.place = place
        self.line = line


def link_correlations(
    drafts: Sequence[CorrelationDraft],
    read: Sequence[RuleRead],
    problems: list[RuleProblem],
    pipelines: Pipelines = (),
) -> LinkedCorrelations:
    """Every correlation whose rules are all there; the others are told in ``problems``."""
    known = {key: one for one in read for key in (one.rule.id, one.name) if key}
    refused = {problem.rule_id: problem for problem in problems if problem.rule_id}
    waiting: dict[str, CorrelationRule] = {}
    for draft in drafts:
        try:
            waiting[draft.rule.id] = _with_ids(draft, known, refused)
        except _Refused as error:
            problems.append(_problem(draft, str(error), error.place, error.line))
    drafts_by_id = {draft.rule.id: draft for draft in drafts}
    linked = _in_order(waiting, drafts_by_id, known, problems)
    for rule_id, correlation in list(linked.items()):
        try:
            linked[rule_id] = _with_log_source(correlation, linked, known)
            if pipelines:
                linked[rule_id] = _with_field_names(linked[rule_id], known, pipelines)
        except _Refused as error:
            problems.append(_problem(drafts_by_id[rule_id], str(error), error.place, error.line))
            del linked[rule_id]
    return LinkedCorrelations(linked, _silent(linked))


def _with_ids(
    draft: CorrelationDraft, known: Mapping[str, RuleRead], refused: Mapping[str, RuleProblem]
) -> CorrelationRule:
    ids: dict[str, str] = {}
    for at, name in enumerate(draft.correlation.rules):
        place = f"rules/{at}"
        one = known.get(name) or known.get(name.lower())
        if one is None:
            why = refused.get(name.lower())
            hint = f"it was refused, {why.path}:{why.line}" if why else "check its id or name"
            raise _Refused(f"no loaded rule has the id or name {name}: {hint}", place)
        if isinstance(one, HealthDraft):
            raise _Refused(f"{name} is a health rule: a correlation takes rules of events", place)
        if isinstance(one, NewTermsDraft):
            raise _Refused(f"{name} is a new-terms rule: a correlation can't take it", place)
        if one.rule.id == draft.rule.id:
            raise _Refused("the correlation names itself", place)
        if one.rule.id in ids.values():
            raise _Refused(f"{name} is the same rule as one named before", place)
        ids[name] = one.rule.id
    aliases = {
        alias: _alias(alias, of_rules, ids, known)
        for alias, of_rules in draft.correlation.aliases.items()
    }
    return replace(draft.correlation, rules=tuple(ids.values()), aliases=aliases)


def _alias(
    alias: str, of_rules: Mapping[str, str], ids: Mapping[str, str], known: Mapping[str, RuleRead]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, field in of_rules.items():
        one = known.get(name) or known.get(name.lower())
        if one is None or one.rule.id not in ids.values():
            raise _Refused(
                f"alias {alias} names {name}, which is none of the correlation's rules",
                f"aliases/{alias}/{name}",
            )
        found[one.rule.id] = field
    for name, rule_id in ids.items():
        if rule_id not in found:
            raise _Refused(
                f"alias {alias} says no field for {name}: add {name}: FIELD", f"aliases/{alias}"
            )
    return found


def _in_order(
    waiting: dict[str, CorrelationRule],
    drafts: Mapping[str, CorrelationDraft],
    known: Mapping[str, RuleRead],
    problems: list[RuleProblem],
) -> dict[str, CorrelationRule]:
    """Those that stand on match rules or on each other without going round, the inner first."""
    linked: dict[str, CorrelationRule] = {}
    takers: dict[str, list[str]] = {}
    needs: dict[str, int] = {}
    for rule_id, one in waiting.items():
        inner = [taken for taken in one.rules if isinstance(known[taken], CorrelationDraft)]
        needs[rule_id] = len(inner)
        for taken in inner:
            takers.setdefault(taken, []).append(rule_id)
    ready = [rule_id for rule_id, count in needs.items() if not count]
    while ready:
        rule_id = ready.pop()
        linked[rule_id] = waiting[rule_id]
        for taker in takers.get(rule_id, ()):
            needs[taker] -= 1
            if not needs[taker]:
                ready.append(taker)
    for rule_id, one in waiting.items():
        if rule_id not in linked:
            at, inner_id = next(
                (at, taken)
                for at, taken in enumerate(one.rules)
                if isinstance(known[taken], CorrelationDraft) and taken not in linked
            )
            name = drafts[rule_id].correlation.rules[at]
            if inner_id in waiting and _leads_to(inner_id, rule_id, waiting):
                reason = f"the correlation goes round: {name} stands on it again"
            else:
                reason = f"{name} can't be used: see its own problem"
            problems.append(_problem(drafts[rule_id], reason, f"rules/{at}"))
    return linked


def _leads_to(start: str, goal: str, waiting: Mapping[str, CorrelationRule]) -> bool:
    seen, stack = {start}, [start]
    while stack:
        one = waiting.get(stack.pop())
        for taken in one.rules if one else ():
            if taken == goal:
                return True
            if taken not in seen:
                seen.add(taken)
                stack.append(taken)
    return False


def _with_log_source(
    correlation: CorrelationRule,
    linked: Mapping[str, CorrelationRule],
    known: Mapping[str, RuleRead],
) -> CorrelationRule:
    """The correlation with what the log sources of its match rules have in common."""
    below: dict[str, SigmaMatchRule] = {}
    stack = list(correlation.rules)
    seen = set(stack)
    while stack:
        taken = stack.pop()
        one = known[taken]
        if isinstance(one, SigmaMatchRule):
            below[taken] = one
        elif taken in linked:
            fresh = [inner for inner in linked[taken].rules if inner not in seen]
            seen.update(fresh)
            stack.extend(fresh)
        else:
            place = f"rules/{correlation.rules.index(taken)}"
            raise _Refused(f"{one.name or taken} can't be used: see its own problem", place)
    _check_tests(correlation, below)
    sources = [one.rule.logsource for one in below.values()]
    parts = ({getattr(one, part) for one in sources} for part in ("product", "category", "service"))
    common = LogSource(*(next(iter(part)) if len(part) == 1 else None for part in parts))
    return replace(correlation, rule=replace(correlation.rule, logsource=common))


def _with_field_names(
    correlation: CorrelationRule, known: Mapping[str, RuleRead], pipelines: Pipelines
) -> CorrelationRule:
    """The correlation with its fields as the pipelines call them for each of its match rules.

    Where they differ from what is written, the written name becomes an alias.
    """
    aliases = {alias: dict(of_rules) for alias, of_rules in correlation.aliases.items()}
    for name in (*correlation.group_by, *correlation.fields):
        before = correlation.aliases.get(name, {})
        names: dict[str, str] = {}
        for taken in correlation.rules:
            one, field = known[taken], before.get(taken, name)
            try:
                names[taken] = (
                    reading().field_name(pipelines, one.rule.logsource, field)
                    if isinstance(one, SigmaMatchRule) and one.rule.logsource != LogSource()
                    else field
                )
            except (Unsupported, ValueError) as error:  # ValueError: pySigma's root
                raise _Refused(str(error)) from error
        if before or any(field != name for field in names.values()):
            aliases[name] = names
    return replace(correlation, aliases=aliases)


def _check_tests(correlation: CorrelationRule, below: Mapping[str, SigmaMatchRule]) -> None:
    names = {key for one in below.values() for key in (one.rule.id, one.name) if key}
    for at, test in enumerate(correlation.tests):
        for _, name, _ in test.events:
            if not name and len(below) > 1:
                raise _Refused(f"test {at + 1}: say of which rule each event is", line=test.line)
            if name and name not in names:
                raise _Refused(f"test {at + 1}: {name} is no rule it stands on", line=test.line)


def _silent(linked: Mapping[str, CorrelationRule]) -> frozenset[str]:
    """What a correlation takes gives no findings, unless one of its takers asks to generate."""
    taken = {rule_id for one in linked.values() for rule_id in one.rules}
    asked = {rule_id for one in linked.values() if one.generate for rule_id in one.rules}
    return frozenset(taken - asked)


def _problem(draft: CorrelationDraft, reason: str, place: str, line: int = 0) -> RuleProblem:
    rule = draft.rule
    line = line or draft.lines.get(place, draft.line)
    return RuleProblem(rule.path, reason, line, rule.id, rule.title)
