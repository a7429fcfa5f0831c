"""``tocsin rules coverage``: ATT&CK techniques by rules in force, data, tests and alerts."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from tocsin.app.coverage.attack_facts import OTHER, technique_name
from tocsin.app.coverage.house_coverage import house_coverage
from tocsin.app.coverage.navigator_layer import LAYER_VERSION, navigator_layers
from tocsin.app.plain import as_json as plain_json
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import Exit, fail, out, print_json, print_table
from tocsin.cli.remote import Remote
from tocsin.triage.attack import ATTACK_VERSION, TACTICS

_STAGES = ("enabled", "data", "tested", "seen", "staged")
_GAPS_SHOWN = 20


def show_coverage(
    navigator: Annotated[
        Path | None,
        typer.Option(
            "--navigator", help="Also write layers for the ATT&CK Navigator to this file."
        ),
    ] = None,
    days: Annotated[
        int, typer.Option("--days", min=1, max=3650, help="How far back alerts count, in days.")
    ] = 30,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Techniques that rules cover, by tactic: in force, with data, tested, seen; then the gaps.

    Gaps are techniques no rule in force can find, though sources that could show them send: those
    first that ATT&CK knows to be used much, that many sources could show, and that rules are
    known for.
    """
    found = _coverage(home, config, days)
    layers = found.pop("layers")
    if navigator is not None:
        try:
            navigator.write_bytes(orjson.dumps(layers, option=orjson.OPT_INDENT_2))
        except OSError as error:
            fail(f"{navigator} can't be written: {error.strerror}", Exit.BAD_CONFIGURATION)
    if as_json:
        print_json({"attack": ATTACK_VERSION, **found})
        return
    _show(found["techniques"], found["gaps"])
    if navigator is not None:
        out.print(
            f"{len(layers)} layers (format {LAYER_VERSION}, ATT&CK v{ATTACK_VERSION}) are in "
            f"{navigator}",
            markup=False,
        )


def _coverage(home: Path | None, config: Path | None, days: int) -> dict[str, Any]:
    facts = server_of(home, config)
    if facts:
        return Remote(facts).get("/api/v1/rules/coverage", days=days)
    house = open_house(home, config)
    try:
        found = house_coverage(house, days, datetime.now(UTC))
        return {**plain_json(found), "layers": navigator_layers(found.techniques, days)}
    finally:
        house.close()


def _show(techniques: Sequence[Mapping[str, Any]], gaps: Sequence[Mapping[str, Any]]) -> None:
    rows = []
    for tactic, name in {**TACTICS, OTHER: "(no tactic named)"}.items():
        of = [one for one in techniques if tactic in one["tactics"]]
        if of:
            rows.append((name, *(sum(bool(one[stage]) for one in of) for stage in _STAGES)))
    rows.append(
        ("all", *(sum(bool(one[stage]) for one in techniques) for stage in _STAGES)),
    )
    columns = ("tactic", "in force", "data present", "tested", "seen", "staged")
    print_table(f"Techniques by tactic (ATT&CK v{ATTACK_VERSION})", columns, rows)
    if gaps:
        listed = (
            (
                *(one["score"], one["technique"], technique_name(one["technique"])),
                *(f"{one['used']}; {one['shown']}; {one['known']}", one["because"]),
            )
            for one in gaps[:_GAPS_SHOWN]
        )
        title = (
            "Gaps: no rule in force can find it, though sources that could show it send; "
            "score: how much it is used, times sources that show it, times rules known"
        )
        names = ("score", "technique", "name", "why it ranks here", "nearest rule")
        print_table(title, names, listed)
        if len(gaps) > _GAPS_SHOWN:
            out.print(f"… and {len(gaps) - _GAPS_SHOWN} more (--json lists all)", markup=False)
