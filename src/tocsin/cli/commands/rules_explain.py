"""``tocsin rules explain``: which part of a rule held or failed on an event, with the values."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

from tocsin.app.explaining.given_event import (
    NoEvent,
    given_of_record,
    given_of_stored,
    stored_event,
)
from tocsin.app.explaining.rule_explaining import RuleExplanation, explain_rule
from tocsin.app.explaining.stored_explaining import explain_stored, sifted
from tocsin.app.home.history import decided_on
from tocsin.app.home.shipped import cache_folder, open_normalizer, rule_paths
from tocsin.app.plain import as_json as plain_json
from tocsin.app.rules.rule_choice import NoSuchRule, rule_named
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.given_records import records_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import Exit, fail, out, plain, print_json
from tocsin.cli.remote import Remote
from tocsin.detect.overlays.overlaid import apply_overlays
from tocsin.detect.reading.ruleset import RuleSet, load_rules

_MOST_PARTS = 30


def explain(
    rule: Annotated[
        str, typer.Argument(help="A rule's id or title, or a rule file.", metavar="RULE")
    ],
    event: Annotated[
        str,
        typer.Argument(
            help="A JSON file, - for standard input, JSON itself, or the id of a stored event "
            "or finding.",
            metavar="EVENT",
        ),
    ],
    number: Annotated[
        int, typer.Option("--number", min=1, help="Which event, of a file that holds several.")
    ] = 1,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a rule finds an event or not. Exit code 0 when it does, 1 when not."""
    records = records_of(event)
    if records is not None:
        if number > len(records):
            fail(f"there is no event {number}: {len(records)} were given")
        found = _locally(rule, records[number - 1], home, config)
    else:
        found = _stored(rule, event, home, config)
    if as_json:
        print_json(found)
    else:
        _show(found)
    raise typer.Exit(Exit.DONE if found["matches"] else Exit.FINDINGS)


def _locally(rule: str, record: Any, home: Path | None, config: Path | None) -> dict[str, Any]:
    normalizer = open_normalizer(settings_for(home, config).home)
    ruleset = _rules(rule, home, config)
    try:
        given = given_of_record(record, normalizer)
    except NoEvent as error:
        fail(str(error))
    rule_id = _id_of(rule, ruleset)
    found = explain_rule(ruleset, rule_id, given)
    if found is None:
        return _plain(found)
    folder = settings_for(home, config).home
    known = {rule.id for rule in ruleset.all_rules()}
    overlays = {one: each for one, each in decided_on(folder).items() if one in known}
    decided = apply_overlays(ruleset, overlays)
    shown = sifted(found, decided.exceptions, given, datetime.now(UTC))
    if found.matches and rule_id in decided.out and rule_id in overlays:
        told = f"the rule is {overlays[rule_id].state.value}: it does not run"
        shown = replace(shown, hidden_by=told)
    return _plain(shown)


def _stored(rule: str, event_id: str, home: Path | None, config: Path | None) -> dict[str, Any]:
    facts = server_of(home, config)
    if facts:
        ruleset = _rules(rule, home, config)
        path = f"/api/v1/rules/{_id_of(rule, ruleset)}/explain"
        return Remote(facts).post(path, json={"event_id": event_id})
    house = open_house(home, config)
    try:
        event = stored_event(house.events, event_id)
        if event is None:
            fail(f"{event_id}: no such file, and no event of that id is stored")
        is_file = Path(rule).is_file()
        ruleset = _rules(rule, home, config) if is_file else house.rule_keeper.written
        given = given_of_stored(event, house.normalizer)
        lanes = {lane.id: lane for lane in house.normalizer.lanes}
        rule_id, exceptions = _id_of(rule, ruleset), house.ruleset.exceptions
        found = explain_stored(ruleset, rule_id, given, house.events, lanes, exceptions)
        return _plain(found)
    finally:
        house.close()


def _rules(rule: str, home: Path | None, config: Path | None) -> RuleSet:
    path = Path(rule)
    paths = [path] if path.is_file() else rule_paths(settings_for(home, config))
    return load_rules(paths, cache=cache_folder() / "rules")


def _id_of(rule: str, ruleset: RuleSet) -> str:
    try:
        return rule_named(ruleset, rule).id
    except NoSuchRule as error:
        fail(str(error))


def _plain(found: RuleExplanation | None) -> dict[str, Any]:
    if found is None:
        fail(
            "the rule judges measurements of the platform, not events: there is nothing to explain"
        )
    return dict(plain_json(found))


def _show(found: Mapping[str, Any]) -> None:
    out.print(_tree(found))
    if found["hidden_by"]:
        out.print(Text(f"It makes no finding: {plain(found['hidden_by'])}", style="bold"))
    if found["blamed"]:
        out.print(Text("Why not:", style="bold"))
        for words in found["blamed"]:
            out.print(Text(f"  {plain(words)}"), soft_wrap=True)


def _tree(found: Mapping[str, Any], within: Tree | None = None) -> Tree:
    several = bool(found["bases"]) or bool(found["looks_for"])
    verdict = ("counts", "does not count") if several else ("matches", "does not match")
    head = _marked(found["matches"], f"“{found['title']}” {verdict[not found['matches']]}")
    tree = Tree(head) if within is None else within.add(head)
    if found["looks_for"]:
        tree.add(Text(f"looks for {plain(found['looks_for'])}"))
    if not found["bases"]:
        tree.add(_marked(found["sees_lane"], found["lane"]))
    for one in found["grouped"]:
        values = ", ".join(one["values"]) or "no value"
        tree.add(_marked(bool(one["values"]), f"{one['field']}, {one['purpose']}: {values}"))
    for base in found["bases"]:
        _tree(base, tree)
    if found["parts"]:
        _add_part(tree, found["parts"])
    for words in found["window"]:
        tree.add(Text(plain(words)))
    return tree


def _add_part(tree: Tree, part: Mapping[str, Any]) -> None:
    if part["parts"]:
        branch = tree.add(_marked(part["held"], part["words"]))
        for one in part["parts"][:_MOST_PARTS]:
            _add_part(branch, one)
        if len(part["parts"]) > _MOST_PARTS:
            branch.add(Text(f"… and {len(part['parts']) - _MOST_PARTS} more", style="dim"))
        return
    line = _marked(part["held"], part["words"])
    if part["by"] and list(part["by"]) != [part["words"]]:
        line.append(f"  by {plain(' and '.join(part['by']))}", style="bold")
    seen = ", ".join(part["seen"]) if part["seen"] else "no value"
    line.append(f"  ← {plain(seen)}", style="dim")
    tree.add(line)


def _marked(held: bool, words: str) -> Text:
    mark = Text("✓ ", style="green") if held else Text("✗ ", style="red")
    return mark.append(plain(words), style="default")
