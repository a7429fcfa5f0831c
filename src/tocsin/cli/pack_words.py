"""Tells what a pack holds and what an update of it would change, for terminals and as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from tocsin.app.packs.pack_change import PackChange
from tocsin.app.packs.pack_desk import PackPlan
from tocsin.cli.output import out, plain
from tocsin.model.rule import RuleProblem

_SHOWN = 20


def show_account(plan: PackPlan) -> None:
    """How many rules load, by kind; every document that is refused, with its place in the pack.

    Of an update those that the version before had refused for the same reason are only counted.
    """
    account, manifest = plan.account, plan.manifest
    before = plan.before.problems if plan.before else ()
    known = {(_place(one, manifest.name), one.reason) for one in before}
    told = [(_place(one, manifest.name), one) for one in account.refused]
    fresh = [(place, one) for place, one in told if (place, one.reason) not in known]
    for place, problem in fresh:
        _line(f"REFUSED {place}:{problem.line}: {problem.reason}")
    kinds = Counter(rule.kind.value for rule in account.rules)
    by_kind = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    _line(
        f"{len(account.rules):,} rules load ({by_kind or 'none'}), "
        f"{len(account.refused):,} documents are refused"
        f"{', as they were before' if told and not fresh else ''}"
    )
    if fresh and len(fresh) < len(told):
        _line(f"  {len(told) - len(fresh):,} of these were refused before (--json lists all)")
    if account.quiet:
        _line(f"{len(account.quiet):,} files hold no rule of their own (filters, lists)")
    for folder, count in manifest.left_out.items():
        _line(f"{count:,} YAML files of {folder} are left out (--folder {folder} takes them)")
    _line(f"licence and attribution: {', '.join(manifest.notices) or 'none was found'}")
    if manifest.signed_by:
        says = f": {manifest.signer_says}" if manifest.signer_says else ""
        _line(f"signed by key {manifest.signed_by}{says}")


def _place(problem: RuleProblem, pack: str) -> str:
    """The file within the pack, whichever version of it."""
    _, _, within = problem.path.partition(f"/packs/{pack}/")
    return within.partition("/")[2] or problem.path


def show_diffs(plan: PackPlan) -> None:
    """What differs in the text of each rule, those to ask about first."""
    told = [one for one in plan.updates if one.diff]
    for one in told[:_SHOWN]:
        _line(f"{one.title} ({one.rule_id})")
        for line in one.diff.splitlines():
            _line(f"  {line}")
    if len(told) > _SHOWN:
        _line(f"… and {len(told) - _SHOWN:,} more (--json lists all)")


def show_change(plan: PackPlan) -> None:
    """What an update brings; ids that change, levels that fall and conflicts are marked."""
    change = plan.change or PackChange()
    for name, mark in (("added", "+"), ("changed", "~"), ("removed", "-"), ("unusable", "!")):
        _some(f"{name}", mark, getattr(change, name))
    renumbered = [
        f"{one.title}: {one.before} → {one.after} (by {one.because})" for one in change.renumbered
    ]
    _some("id changed", "!", renumbered)
    followed = [f"{old} → {new}" for old, new in plan.followed]
    _some("decisions follow to the new id", "→", followed)
    loosened = [f"{one.title} ({one.id}): {one.before} → {one.after}" for one in change.loosened]
    _some("level lowered", "!", loosened)
    conflicts = [
        f"{one.title}: {each.in_words()}" for one in plan.updates for each in one.conflicts
    ]
    _some("changed there and here (yours stays until you settle it)", "!", conflicts)
    if change.is_nothing:
        _line("no rule has changed")


def show_replay(replayed: Mapping[str, Any]) -> None:
    """What the changed rules find on stored events before and after the update."""
    upto = "" if replayed["is_complete"] else ", cut off by --replay-seconds or Ctrl-C"
    _line(
        f"on stored events from {replayed['began']} to {replayed['reached']}{upto}, "
        f"{replayed['events']:,} events the changed rules ask for:"
    )
    _line(f"  {replayed['before']:,} findings before, {replayed['after']:,} after the update")
    differ = [one for one in replayed["rules"] if one["before"] != one["after"]]
    lines = [
        f"{one['title']} ({one['level']}): {_count(one['before'])} → {_count(one['after'])}"
        for one in differ
    ]
    _some("rules find another number", "~", lines)
    for one in replayed["damage"]:
        _line(f"  ! {one['place']}: {one['reason']}")


def _count(findings: int | None) -> str:
    return "no such rule" if findings is None else f"{findings:,}"


def _some(title: str, mark: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    out.print(Text(f"{len(lines):,} {title}", style="bold"))
    for line in lines[:_SHOWN]:
        _line(f"  {mark} {line}")
    if len(lines) > _SHOWN:
        _line(f"  … and {len(lines) - _SHOWN:,} more (--json lists all)")


def _line(text: str) -> None:
    out.print(Text(plain(text)), soft_wrap=True)
