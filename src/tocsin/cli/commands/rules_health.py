"""``tocsin rules health``: which rules can match what comes in; of the others, why not."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from tocsin.app.explaining.rule_health import ABLE, NOTED, REFUSED, Slow, narrowed, rule_health
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import Exit, fail, out, print_json, print_table
from tocsin.cli.remote import Remote

_WORDS = {
    ABLE: "can match",
    "no_lane": "no connector answers for their log source",
    "no_source": "no source has sent such events",
    "unseen_field": "a field they need was never seen",
    "base": "a rule they build on gives them nothing",
    "over_budget": "over their budget of processor time: they pause",
    REFUSED: "files or documents that can't be used",
    NOTED: "in force with a problem: an exception that fails, a newer text that can't be used, "
    "an expression that takes too long",
}


def show_rule_health(
    rule: Annotated[
        str, typer.Argument(help="Only this rule: its id, title or file.", metavar="[RULE]")
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="List the rules that can match, too.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 1 when a rule can't match.")
    ] = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say of every rule whether it can match what has come in so far, and if not, why."""
    health = _health_in(home, config)
    if rule:
        health = narrowed(health, rule)
        if not health["rules"] and not health["refused"]:
            fail(f"{rule}: no such rule; tocsin rules list shows ids and titles")
    if as_json:
        print_json(health)
    else:
        _show(health, everything=everything or bool(rule))
    rules = health["rules"]
    unable = health["refused"] or any(not one["reach"][ABLE] or one["notes"] for one in rules)
    raise typer.Exit(Exit.FINDINGS if strict and unable else Exit.DONE)


def _health_in(home: Any, config: Any) -> dict[str, Any]:
    facts = server_of(home, config)
    if facts:
        return Remote(facts).get("/api/v1/rules/health")
    house = open_house(home, config)
    try:
        slow = Slow(house.engine.limits, house.engine.paused)
        return rule_health(house.rules(), house.ruleset.problems, house.reach.verdicts(), slow)
    finally:
        house.close()


def _show(health: Mapping[str, Any], *, everything: bool) -> None:
    rows = [
        (
            one["level"],
            one["title"],
            "yes" if one["reach"][ABLE] else "no",
            one["reach"]["reason"] or ", ".join(one["reach"]["sources"]),
            one["id"],
        )
        for one in health["rules"]
        if everything or not one["reach"][ABLE]
    ]
    for one in health["rules"]:
        for note in one["notes"]:
            out.print(f"PROBLEM {one['title']} ({one['id']}): {note}", markup=False)
    if rows:
        print_table("", ("level", "rule", "can match", "because of", "id"), rows)
    for one in health["refused"]:
        out.print(f"NOT LOADED {one['path']}:{one['line']}: {one['reason']}", markup=False)
    for obstacle, count in health["counts"].items():
        if count:
            out.print(f"{count:6,} {_WORDS.get(obstacle, obstacle)}", markup=False)
