"""``tocsin rules looks``: from when to when a rule has looked, and what it has not seen."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tocsin.app.explaining.rule_ledger import ledger_of
from tocsin.app.plain import as_json as plain
from tocsin.app.rules.rule_choice import NoSuchRule, rule_named
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import Exit, fail, out, print_json, print_table
from tocsin.cli.remote import Remote
from tocsin.cli.rule_decisions import id_there

_SHOWN = 20

Rule = Annotated[str, typer.Argument(help="A rule's id or title.")]


def show_looks(
    rule: Rule,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what a rule has looked at: events, late and skipped ones, gaps, and what was filled."""
    ledger = _ledger(rule, home, config)
    if as_json:
        print_json(ledger)
        return
    _show(ledger)


def _ledger(rule: str, home: HomeOption, config: ConfigOption) -> dict[str, Any]:
    facts = server_of(home, config)
    if facts:
        client = Remote(facts)
        return client.get(f"/api/v1/rules/{quote(id_there(client, rule), safe='')}/looks")
    house = open_house(home, config)
    try:
        try:
            rule = rule_named(house.ruleset, rule).id
        except NoSuchRule as error:
            if ledger_of(house, rule) is None:
                fail(str(error), Exit.BAD_CONFIGURATION)
        return dict(plain(ledger_of(house, rule)))
    finally:
        house.close()


def _show(ledger: dict[str, Any]) -> None:
    looks = ledger["looks"]
    state = f"looks since {_time(looks['since'])}" if looks["in_force"] else "is not in force"
    out.print(
        f"“{ledger['title']}” ({looks['rule_id']}) {state}: {looks['events']:,} events, {looks['late']:,} late, "
        f"{looks['skipped']:,} skipped, {ledger['unfinished_values']:,} values given up on, "
        f"{ledger['cpu_s']:g} CPU s",
        markup=False,
    )
    print_table(
        "",
        ("lane", "from", "to", "events", "late", "skipped"),
        [
            (
                one["lane"] or "(set aside)",
                _time(one["since"]),
                _time(one["until"]),
                f"{one['events']:,}",
                f"{one['late']:,}",
                f"{one['skipped']:,}",
            )
            for one in looks["lanes"][:_SHOWN]
        ],
    )
    _show_gaps(ledger)
    if (budget := ledger["budget"])["over_since"]:
        out.print(
            f"over its budget since {_time(budget['over_since'])}: it used {budget['share']:.0%} "
            f"of a core, {budget['allowed_share']:.0%} is allowed; it pauses and comes back",
            markup=False,
        )
    if looks["before"]:
        span = looks["before"]
        out.print(
            f"stored before it came: from {_time(span['since'])} to {_time(span['until'])}",
            markup=False,
        )
    for one in looks["down"][-_SHOWN:]:
        out.print(
            f"Tocsin did not run from {_time(one['since'])} to {_time(one['until'])}",
            markup=False,
        )


def _show_gaps(ledger: dict[str, Any]) -> None:
    """What it did not look at, what was filled, and what is not final yet."""
    looks = ledger["looks"]
    for gap in looks["gaps"]:
        until = _time(gap["until"]) if gap["until"] else "now"
        why, then = _CAUSES[gap["cause"]]
        out.print(
            f"not looked from {_time(gap['since'])} to {until} ({why}): {then} tocsin rules fill "
            f"{looks['rule_id']}",
            markup=False,
        )
    for fill in looks["fills"][-_SHOWN:]:
        lacking = f"; not all of it: {fill['damage']}" if fill["damage"] else ""
        out.print(
            f"filled from {_time(fill['since'])} to {_time(fill['until'])} by {fill['by']}: "
            f"{fill['events']:,} events, {fill['findings']:,} new findings{lacking}",
            markup=False,
        )
    if filling := ledger["filling"]:
        out.print(
            f"being filled: {_time(filling['since'])} to {_time(filling['until'])}, "
            f"{filling['done']:,} of {filling['total']:,} stored events",
            markup=False,
        )
    if ledger["windows_open_until"]:
        until = _time(ledger["windows_open_until"])
        out.print(f"windows over a gap are open: final after {until}", markup=False)


_CAUSES = {
    "": ("its file could not be used", "a running server fills it by itself, or"),
    "budget": ("over its budget", "a running server fills it by itself, or"),
    "decided": ("somebody put it out of force", "fill it with"),
}


def _time(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%SZ")
