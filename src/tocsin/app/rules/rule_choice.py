"""Finds the rule a person means: by its id, its title, or the file it is in."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.stateful_rule import StatefulRule
from tocsin.model.rule import Rule


class NoSuchRule(Exception):
    """Nothing, or more than one rule, is meant; says which there are."""


def rule_named(ruleset: RuleSet, wanted: str) -> Rule:
    """The one rule of that id, title (letter case aside) or file. Raises NoSuchRule.

    Of a file with several rules, the one that takes the others is meant.
    """
    rule = ruleset.rule(wanted)
    if rule is not None:
        return rule
    rules = ruleset.all_rules()
    found = [one for one in rules if one.title.casefold() == wanted.casefold()]
    found = found or _of_file(wanted, rules, ruleset.stateful)
    if len(found) == 1:
        return found[0]
    if found:
        listed = "; ".join(f"{one.id} “{one.title}”" for one in found[:10])
        raise NoSuchRule(f"{wanted}: {len(found)} rules are named so, give an id: {listed}")
    problem = next((one for one in ruleset.problems if wanted in (one.path, one.rule_id)), None)
    if problem is not None:
        raise NoSuchRule(f"{problem.path}:{problem.line}: not loaded: {problem.reason}")
    titles = {one.title.casefold(): one.title for one in rules}
    near = [titles[one] for one in get_close_matches(wanted.casefold(), titles, 3)]
    hint = f"; did you mean “{'”, “'.join(near)}”?" if near else "; see tocsin rules list"
    raise NoSuchRule(f"{wanted}: no such rule{hint}")


def _of_file(wanted: str, rules: Sequence[Rule], stateful: Sequence[StatefulRule]) -> list[Rule]:
    asked = Path(wanted)
    found = [one for one in rules if one.path and Path(one.path) == asked]
    over = [one for one in found if any(one.id == other.rule.id for other in stateful)]
    return over if len(over) == 1 else found
