"""Which rules of a set a hunt runs: by level, id and tag, with what correlations need."""

from collections.abc import Callable, Collection
from dataclasses import replace

from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.stateful_rule import CorrelationRule, StatefulRule
from tocsin.model.rule import Rule
from tocsin.model.severity import Level


def selected(
    ruleset: RuleSet,
    *,
    level: Level = Level.INFORMATIONAL,
    rules: Collection[str] = (),
    tags: Collection[str] = (),
) -> RuleSet:
    """The rules of at least that level that are named in ``rules`` (id or title) or carry a tag.

    Tags are as Sigma writes them, a leading ``attack.`` may be left out; no names and no tags:
    all. Rules that a chosen stateful rule refers to stay, silent where they were not chosen.
    """
    chosen = _choice(level, {name.lower() for name in rules}, {_tag(tag) for tag in tags})
    stateful = {found.rule.id: found for found in ruleset.stateful}
    kept: dict[str, StatefulRule] = {}
    pending = [found for found in ruleset.stateful if chosen(found.rule)]
    told = {found.rule.id for found in pending}
    needed: set[str] = set()
    while pending:
        one = pending.pop()
        kept[one.rule.id] = one
        refers = needs_of(one)
        needed |= refers
        pending += [stateful[at] for at in refers if at in stateful and at not in kept]
    matching = tuple(
        found for found in ruleset.rules if chosen(found.rule) or found.rule.id in needed
    )
    quiet = {found.rule.id for found in matching if not chosen(found.rule)} | (kept.keys() - told)
    return replace(
        ruleset,
        rules=matching,
        stateful=tuple(found for found in ruleset.stateful if found.rule.id in kept),
        health=(),
        silent=ruleset.silent | quiet,
    )


def needs_of(stateful: StatefulRule) -> set[str]:
    """Ids of the rules whose hits the rule takes."""
    if isinstance(stateful, CorrelationRule):
        return set(stateful.rules)
    return {stateful.rule.id}


def with_takers(ruleset: RuleSet, rule_ids: Collection[str]) -> frozenset[str]:
    """These rules and all that build on them, directly or through others."""
    found = set(rule_ids)
    while True:
        takers = {one.rule.id for one in ruleset.stateful if not found.isdisjoint(needs_of(one))}
        if takers <= found:
            return frozenset(found)
        found |= takers


def needed_by_stateful(ruleset: RuleSet) -> frozenset[str]:
    """Ids of the match rules whose hits stateful rules take."""
    taken = set[str]().union(*(needs_of(one) for one in ruleset.stateful))
    return frozenset(taken & {found.rule.id for found in ruleset.rules})


def lean(ruleset: RuleSet) -> RuleSet:
    """The match rules without what is only read by people: less to hand to other processes."""
    return RuleSet(tuple(map(_lean, ruleset.rules)), silent=ruleset.silent)


def _lean(found: SigmaMatchRule) -> SigmaMatchRule:
    rule = replace(
        found.rule, source_text="", description="", author="", references=(), false_positives=()
    )
    return replace(found, rule=rule, tests=())


def _choice(level: Level, names: set[str], tags: set[str]) -> Callable[[Rule], bool]:
    def chosen(rule: Rule) -> bool:
        if rule.level.rank < level.rank:
            return False
        if not names and not tags:
            return True
        named = rule.id.lower() in names or rule.title.lower() in names
        return named or any(_tag(tag) in tags for tag in rule.tags)

    return chosen


def _tag(tag: str) -> str:
    return tag.lower().removeprefix("attack.").replace("_", "-")
