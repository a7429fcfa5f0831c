"""``tocsin rules reload``: the running server reads its rule folders now and tells what changed."""

from collections.abc import Mapping
from typing import Any

import typer

from tocsin.cli.data_folder import server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import Exit, fail, out, print_json, print_table
from tocsin.cli.remote import Remote

_RULES = "/api/v1/rules"
_WHAT = {
    "added": "in force from now on",
    "changed": "in force as it is written now",
    "removed": "no longer in force",
    "kept": "its file can't be used: the version before stays in force",
}


def reload_rules(
    home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Take up changed rule files now, and tell which rules came, changed or went.

    A server looks by itself every few seconds; this waits for it. Exit code 2 when a file can't
    be used.
    """
    facts = server_of(home, config)
    if facts is None:
        folder = settings_for(home, config).home
        fail(
            f"no server runs on {folder}: rules are read when one starts; "
            "tocsin rules lint tells now what is wrong with them",
            Exit.BAD_CONFIGURATION,
        )
    client = Remote(facts)
    before = _titles(client.get(_RULES))
    told = client.post(f"{_RULES}/reload")
    listed = client.get(_RULES)
    if as_json:
        print_json({**told, "problems": listed["problems"]})
    else:
        _show(told, listed["problems"], {**before, **_titles(listed)})
    bad = told["kept"] or listed["problems"]
    raise typer.Exit(Exit.BAD_CONTENT if bad else Exit.DONE)


def _titles(listed: Mapping[str, Any]) -> dict[str, str]:
    return {one["id"]: one["title"] for one in listed["rules"]}


def _show(
    told: Mapping[str, Any], problems: list[dict[str, Any]], titles: Mapping[str, str]
) -> None:
    rows = [
        (what, titles.get(rule_id, ""), meaning, rule_id)
        for what, meaning in _WHAT.items()
        for rule_id in told[what]
    ]
    if rows:
        print_table("", ("", "rule", "", "id"), rows)
    else:
        out.print("nothing has changed: the rules in force are those of the files", markup=False)
    for one in problems:
        out.print(f"PROBLEM {one['path']}:{one['line']}: {one['reason']}", markup=False)
