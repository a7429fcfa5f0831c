"""``tocsin admin export``: the stored events for any engine that reads Parquet."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from tocsin.app.home.stores import has_state, open_state
from tocsin.app.moment import parse_moment
from tocsin.app.moving.segment_export import export_segments
from tocsin.app.settings.config_errors import ConfigError
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import Exit, byte_progress, fail, out, print_json


def export(
    target: Annotated[Path, typer.Argument(help="Folder; it has the events in TARGET/current.")],
    start: Annotated[
        str | None, typer.Option("--from", help="Only segments with events from then on.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Only segments with events before then.")
    ] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put the stored events, as Parquet files, where DuckDB, ClickHouse or Spark read them.

    Linked where the disk is the same, else copied; run again it brings only what is new, and the
    set changes in one go. A server may be running. Exit code 2 when a segment could not be given.
    """
    settings = settings_for(home, config)
    if not has_state(settings.home):
        raise ConfigError(f"{settings.home}: no data folder here; give one with --home")
    state = open_state(settings.home)
    try:
        with byte_progress() as progress:
            task = progress.add_task("exporting", total=None)
            made = export_segments(
                *(settings.home, state, target, _moment(start), _moment(end)),
                on_progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
    finally:
        state.close()
    if as_json:
        print_json(made)
    else:
        out.print(
            f"{made.folder}: {made.events:,} events in {made.segments:,} files, "
            f"{made.size_bytes / 1e6:,.1f} MB ({made.copied_bytes / 1e6:,.1f} MB copied)",
            markup=False,
        )
        for one in made.left_out:
            out.print(f"NOT in it: {one.path} {one.reason}: {one.events:,} events", markup=False)
    raise typer.Exit(Exit.BAD_CONTENT if made.left_out else Exit.DONE)


def _moment(text: str | None) -> datetime | None:
    try:
        return parse_moment(text) if text else None
    except ValueError as error:
        fail(str(error), Exit.BAD_CONFIGURATION)
