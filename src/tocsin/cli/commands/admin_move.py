"""`tocsin admin move`: from the data folder to PostgreSQL and ClickHouse, and back."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tocsin.app.home.home import Home
from tocsin.app.home.stores import Stores, check_addresses, has_state, stores_of, without_password
from tocsin.app.moving.stores_move import move_events, move_state
from tocsin.app.settings.config_errors import ConfigError
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import item_progress, out, print_json

FOLDER = "folder"


def move(
    state: Annotated[
        str | None,
        typer.Option(
            "--state", help="Where state goes: postgresql://user@host/database, or folder."
        ),
    ] = None,
    events: Annotated[
        str | None,
        typer.Option(
            "--events", help="Where events go: clickhouse://user@host:8123/database, or folder."
        ),
    ] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move state or events to another engine, compared row by row; no server may be running.

    What was moved stays where it was, too, until you delete it. A move that was cut short goes on
    when the command is given again.
    """
    if state is None and events is None:
        raise ConfigError("say what to move: --state ADDRESS, --events ADDRESS, or both")
    folder = settings_for(home, config).home
    if not has_state(folder):
        raise ConfigError(f"{folder}: no data folder here; give one with --home")
    held = Home(folder)
    try:
        told = _move(folder, _address(state), _address(events))
    finally:
        held.release()
    if as_json:
        print_json(told)
        return
    for what, facts in told.items():
        out.print(f"{what}: {facts}", markup=False)


def _move(folder: Path, state: str | None, events: str | None) -> dict[str, object]:
    known = stores_of(folder)
    wanted = Stores(
        known.state if state is None else state, known.events if events is None else events
    )
    check_addresses(wanted)
    told: dict[str, object] = {}
    with item_progress() as progress:
        if without_password(wanted.state) != without_password(known.state):
            task = progress.add_task("state", total=None)
            tables = move_state(
                folder, wanted.state, lambda name, _: progress.update(task, description=name)
            )
            told["state"] = {
                one.name: {"rows": one.rows, "checksum": one.checksum} for one in tables
            }
            known = replace(known, state=wanted.state)
        if without_password(wanted.events) != without_password(known.events):
            task = progress.add_task("events", total=None)
            moved = move_events(
                folder,
                wanted.events,
                lambda done, total: progress.update(task, completed=done, total=total),
            )
            told["events"] = {
                "segments": moved.segments,
                "events": moved.events,
                "checksum": moved.checksum,
            }
    return told


def _address(given: str | None) -> str | None:
    return "" if given == FOLDER else given
