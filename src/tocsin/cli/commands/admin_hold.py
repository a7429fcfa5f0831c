"""``tocsin admin hold``: what nothing deletes, who said so, and why."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from tocsin.app.moment import parse_moment
from tocsin.app.plain import as_json as plain
from tocsin.app.storage.holds import HoldError, scope_in_words
from tocsin.app.storage.storage_desk import open_storage
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import fail, out, print_json, print_table

BY = "cli"
app = typer.Typer(help="Legal holds: what nothing deletes.", no_args_is_help=True)


@app.command("list")
def list_holds(
    home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Every hold, those in force first."""
    with open_storage(settings_for(home, config)) as desk:
        holds = desk.retention.holds.all()
    if as_json:
        print_json(holds)
        return
    print_table(
        f"{sum(not one.is_lifted for one in holds)} holds in force",
        ("name", "holds", "because", "by", "since", "lifted"),
        (
            (
                *(one.name, scope_in_words(one), one.reason, one.placed_by, one.placed_at),
                f"{plain(one.lifted_at)} by {one.lifted_by}: {one.lifted_because}"
                if one.is_lifted
                else "",
            )
            for one in holds
        ),
    )


@app.command("place")
def place(
    name: Annotated[str, typer.Argument(help="What the hold is called by.")],
    reason: Annotated[str, typer.Option("--because", help="Why it is held.")],
    source: Annotated[
        list[str] | None,
        typer.Option("--source", help="Sources (*, ?, […]); may be given again; else all."),
    ] = None,
    matching: Annotated[
        str,
        typer.Option(
            "--matching", help="Only what this filter finds, as in the search: user:alice."
        ),
    ] = "",
    tenant: Annotated[str, typer.Option("--tenant", help="Only of this tenant.")] = "",
    start: Annotated[str, typer.Option("--from", help="ISO time or now-30d.")] = "",
    until: Annotated[str, typer.Option("--to", help="ISO time; not included.")] = "",
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold events from now on: nothing deletes them until the hold is lifted."""
    now = datetime.now(UTC)
    try:
        begin, end = (parse_moment(text, now) if text else None for text in (start, until))
        with open_storage(settings_for(home, config)) as desk:
            hold = desk.retention.holds.place(
                *(name, reason),
                by=BY,
                now=now,
                sources=source or (),
                tenant=tenant,
                start=begin,
                until=end,
                matching=matching,
            )
    except (HoldError, ValueError) as error:
        fail(str(error))
    if as_json:
        print_json(hold)
    else:
        out.print(f"held as “{hold.name}”: {scope_in_words(hold)}", markup=False)


@app.command("lift")
def lift(
    name: Annotated[str, typer.Argument(help="The hold's name or id.")],
    because: Annotated[str, typer.Option("--because", help="Why it ends.")],
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a hold. What it held stays for one more day, then retention may delete it."""
    try:
        with open_storage(settings_for(home, config)) as desk:
            hold = desk.retention.holds.lift(name, because, by=BY, now=datetime.now(UTC))
    except HoldError as error:
        fail(str(error))
    if as_json:
        print_json(hold)
    else:
        out.print(f"“{hold.name}” is lifted", markup=False)
