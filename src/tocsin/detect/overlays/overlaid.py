"""Rules with what people decided laid over them: what runs, in which state, with which exceptions."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from tocsin.detect.reading.exceptions import RuleExceptions, compile_exceptions
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.health_rule import HealthRule
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.overlay import RUNNING, LifeState, Overlay, RuleException
from tocsin.detect.rules.stateful_rule import CorrelationRule, NewTermsRule, StatefulRule
from tocsin.model.rule import Rule, RuleProblem

Kind = TypeVar("Kind", bound=SigmaMatchRule | CorrelationRule | NewTermsRule | HealthRule)


def apply_overlays(
    ruleset: RuleSet, overlays: Mapping[str, Overlay], before: RuleSet | None = None
) -> RuleSet:
    """What is to run of ``ruleset``, by the overlays of its rules.

    Draft and retired rules are left out; those that running rules build on stay, silent. Staging
    rules are named in ``staged``, exceptions are in ``exceptions``; those that can't be used, and
    overlays of rules that are not loaded, are told as problems. Compiled conditions stay the same
    objects; exceptions of ``before`` that have not changed are taken over from it.
    """
    if not overlays:
        return ruleset
    states = {rule_id: overlay.state for rule_id, overlay in overlays.items()}
    out = {one for one, state in states.items() if state not in RUNNING}
    needed = _needed(ruleset, out)
    problems: list[RuleProblem] = []
    exceptions = _exceptions(ruleset, overlays, before, problems)
    problems += (
        _vanished(overlay)
        for rule_id, overlay in overlays.items()
        if ruleset.rule(rule_id) is None and _says_something(overlay)
    )
    present = out - needed
    return RuleSet(
        rules=tuple(_levelled(ruleset.rules, overlays, present)),
        problems=(*ruleset.problems, *problems),
        stateful=tuple(_levelled(ruleset.stateful, overlays, present)),
        health=tuple(_levelled(ruleset.health, overlays, present)),
        silent=ruleset.silent | (out & needed),
        staged=frozenset(one for one, state in states.items() if state is LifeState.STAGING),
        exceptions=exceptions,
        out=frozenset(present),
        schedules={one: made.schedule for one, made in overlays.items() if made.schedule},
    )


def problem_of(rule_id: str, reason: str, title: str = "") -> RuleProblem:
    """A problem that lies in an overlay rather than in a file."""
    return RuleProblem(f"overlay of {rule_id}", reason, 0, rule_id, title)


def _needed(ruleset: RuleSet, out: set[str]) -> set[str]:
    """Rules (by id) that running rules over several events take, directly or through others."""
    by_id: dict[str, StatefulRule] = {one.rule.id: one for one in ruleset.stateful}
    waiting = [one for one in ruleset.stateful if one.rule.id not in out]
    needed: set[str] = set()
    while waiting:
        one = waiting.pop()
        for taken in one.rules if isinstance(one, CorrelationRule) else ():
            if taken not in needed:
                needed.add(taken)
                if taken in by_id:
                    waiting.append(by_id[taken])
    return needed


def _levelled(
    rules: Iterable[Kind], overlays: Mapping[str, Overlay], left_out: set[str]
) -> Iterable[Kind]:
    for one in rules:
        if one.rule.id in left_out:
            continue
        overlay = overlays.get(one.rule.id)
        if overlay is None or overlay.level in (None, one.rule.level):
            yield one
        else:
            yield replace(one, rule=replace(one.rule, level=overlay.level))


def _exceptions(
    ruleset: RuleSet,
    overlays: Mapping[str, Overlay],
    before: RuleSet | None,
    problems: list[RuleProblem],
) -> dict[str, RuleExceptions]:
    found: dict[str, RuleExceptions] = {}
    for rule_id, overlay in overlays.items():
        rule = ruleset.rule(rule_id)
        if rule is None or not overlay.exceptions:
            continue
        known = before.exceptions.get(rule_id) if before else None
        old = before.rule(rule_id) if before else None
        problems += (_ended(rule, one) for one in overlay.exceptions if one.expired_at)
        live = tuple(one for one in overlay.exceptions if one.expired_at is None)
        is_same_rule = old is not None and old.logsource == rule.logsource
        if known is not None and is_same_rule and known.exceptions == live:
            found[rule_id] = known
            continue
        earlier = known if is_same_rule else None
        compiled, refused = compile_exceptions(live, rule.logsource, earlier)
        problems += (_unusable(rule, one, reason) for one, reason in refused)
        if compiled.exceptions:
            found[rule_id] = compiled
    return found


def _says_something(overlay: Overlay) -> bool:
    return overlay != Overlay(overlay.rule_id, base_digest=overlay.base_digest)


def _vanished(overlay: Overlay) -> RuleProblem:
    count = len(overlay.exceptions)
    parts = [f"state {overlay.state.value}"]
    if overlay.level:
        parts.append(f"level {overlay.level.value}")
    if count:
        parts.append(f"{count:,} exception{'s' if count != 1 else ''}")
    return problem_of(
        overlay.rule_id,
        f"decisions are kept ({', '.join(parts)}) for a rule that is not loaded: bring its file "
        "back, or give them to the rule that took its place",
    )


def _ended(rule: Rule, one: RuleException) -> RuleProblem:
    reason = (
        f"exception {one.id} ({one.owner}: {one.reason}) has expired"
        f"{f' on {one.expires:%Y-%m-%d %H:%M} UTC' if one.expires else ''} and hides nothing: "
        "renew or remove it"
    )
    return problem_of(rule.id, reason, rule.title)


def _unusable(rule: Rule, one: RuleException, why: str) -> RuleProblem:
    reason = f"exception {one.id} ({one.owner}) can't be used and hides nothing: {why}"
    return problem_of(rule.id, reason, rule.title)
