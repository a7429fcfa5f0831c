"""Which rules a backtest tries: named ones of those in force, and files somebody is working on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tocsin.app.rules.hunt_selection import selected
from tocsin.app.rules.rule_choice import NoSuchRule, rule_named
from tocsin.detect.overlays.overlaid import apply_overlays
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.detect.rules.overlay import LifeState, Overlay


def rules_to_try(
    wanted: Sequence[str],
    in_force: Sequence[Path],
    overlays: Mapping[str, Overlay],
    cache: Path,
) -> RuleSet:
    """Rules by id or title from the folders ``in_force``, and all of the files given by path.

    Exceptions and levels that people decided on hold for both; a draft or retired rule is tried
    as if it were active. One that only correlations count by itself is told of when it is named.
    Raises ``NoSuchRule``.
    """
    paths = [Path(one) for one in wanted if Path(one).exists()]
    names = [one for one in wanted if not Path(one).exists()]
    given = load_rules(paths, cache=cache) if paths else RuleSet()
    if names:
        found = load_rules(in_force, cache=cache)
        # Of a new-terms rule the detection stays silent: the rule tells itself.
        remembering = {one.rule.id for one in found.stateful}
        loud = {rule_named(found, name).id for name in names} - remembering
        given = _together(given, named_rules(found, names))
        given = replace(given, silent=given.silent - loud)
    if not given.rules:
        raise NoSuchRule("no rule could be loaded: see what is wrong with tocsin rules lint")
    active = {
        rule_id: replace(one, state=LifeState.ACTIVE)
        for rule_id, one in overlays.items()
        if given.rule(rule_id) is not None
    }
    return apply_overlays(replace(given, health=()), active)


def named_rules(ruleset: RuleSet, names: Sequence[str]) -> RuleSet:
    """The rules of these ids, titles or files with what they build on; raises ``NoSuchRule``."""
    ids = [rule_named(ruleset, name).id for name in names]
    found = selected(ruleset, rules=ids)
    if not found.rules:
        raise NoSuchRule(f"{', '.join(names)}: health rules look at no events, there is no history")
    return replace(found, problems=())


def _together(first: RuleSet, second: RuleSet) -> RuleSet:
    """Both; of a rule that is in both, the one of ``first``."""
    mine = {rule.id for rule in first.all_rules()}
    return RuleSet(
        rules=(*first.rules, *(one for one in second.rules if one.rule.id not in mine)),
        problems=first.problems,
        stateful=(*first.stateful, *(one for one in second.stateful if one.rule.id not in mine)),
        silent=first.silent | (second.silent - mine),
    )
