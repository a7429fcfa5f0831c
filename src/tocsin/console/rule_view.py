"""What the pages about rules show of a rule: it as it runs or would run, and what was decided."""

from collections.abc import Mapping
from dataclasses import replace

from tocsin.app.rules.rule_life import RuleLife
from tocsin.app.wiring import Tocsin
from tocsin.console.panes import attempt
from tocsin.console.rule_row import RuleRow, Standing, notes_of, rows_of
from tocsin.console.visit import Missing
from tocsin.detect.errors import UnknownRule
from tocsin.detect.rules.overlay import Overlay
from tocsin.model.rule import Rule


def every_row(tocsin: Tocsin) -> tuple[list[RuleRow], str]:
    """All rules, those that don't run too; and why their health is not known (empty: it is)."""
    verdicts = attempt("Whether rules can match", tocsin.reach.verdicts)
    overlays = tocsin.rule_book.overlays()
    standing = Standing(
        overlays,
        verdicts.value or {},
        tocsin.engine.cpu_s,
        tocsin.engine.paused,
        notes_of(tocsin.ruleset.problems),
    )
    rows = rows_of(_every_rule(tocsin, overlays), standing, tocsin.settings.home)
    return rows, verdicts.error


def _every_rule(tocsin: Tocsin, overlays: Mapping[str, Overlay]) -> list[Rule]:
    """All rules with the levels in force: those that run, then drafts and retired ones."""
    running = tocsin.rules()
    known = {rule.id for rule in running}
    resting = [rule for rule in tocsin.rule_keeper.written.all_rules() if rule.id not in known]
    return [*running, *(_levelled(rule, overlays.get(rule.id)) for rule in resting)]


def rule_with(tocsin: Tocsin, rule_id: str) -> Rule:
    """The rule with its level in force, whatever its state. Raises ``Missing``."""
    found = tocsin.rule(rule_id)
    if found is None:
        written = tocsin.rule_keeper.written.rule(rule_id)
        found = _levelled(written, tocsin.rule_book.overlays().get(rule_id)) if written else None
    if found is None:
        raise Missing(
            f"No loaded rule has the id {rule_id[:80]}; it may be among the problems, or was removed."
        )
    return found


def life_with(tocsin: Tocsin, rule_id: str) -> RuleLife | None:
    """What was decided on the rule; None for a rule of the platform itself."""
    try:
        return tocsin.rule_book.life(rule_id)
    except UnknownRule:
        return None


def _levelled(rule: Rule, overlay: Overlay | None) -> Rule:
    if overlay is None or overlay.level is None:
        return rule
    return replace(rule, level=overlay.level)
