"""``tocsin sources``: who sends, how much, and what could not be read."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tocsin.app.plain import as_json as plain
from tocsin.app.plain import page_json
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import print_json, print_table
from tocsin.cli.remote import Remote

app = typer.Typer(help="See who sends, how much, and what could not be read.", no_args_is_help=True)


@app.command("list")
def list_sources(
    home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Every source with its ledger: received = stored + quarantined."""
    sources = _sources(home, config)
    if as_json:
        print_json(sources)
        return
    print_table(
        "",
        (
            "source",
            "received",
            "stored",
            "quarantined",
            "unrecognized",
            "last event",
            "silent since",
        ),
        (
            (
                one["name"],
                one["received"],
                one["stored"],
                one["quarantined"],
                one["unrecognized"],
                one["last_seen"],
                one["silent_since"],
            )
            for one in sources
        ),
    )


@app.command("quarantine")
def quarantine(
    source: Annotated[str | None, typer.Option("--source", help="Only this source.")] = None,
    size: Annotated[int, typer.Option("--size", min=1, max=1000, help="Records to show.")] = 50,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Records that could not be read, each with its place and reason."""
    facts = server_of(home, config)
    if facts:
        answer = Remote(facts).get("/api/v1/sources/quarantine", source=source, size=size)
    else:
        house = open_house(home, config)
        try:
            with house.state.read() as tx:
                answer = page_json(
                    "records", house.sources.quarantined(tx, source=source, size=size)
                )
        finally:
            house.close()
    if as_json:
        print_json(answer)
        return
    print_table(
        f"{answer['total']} records in quarantine",
        ("source", "place", "record", "reason", "begins with"),
        (
            (one["source"], one["place"], one["ordinal"], one["reason"], one["excerpt"])
            for one in answer["records"]
        ),
    )


def _sources(home: Path | None, config: Path | None) -> list[dict[str, Any]]:
    facts = server_of(home, config)
    if facts:
        listed: list[dict[str, Any]] = Remote(facts).get("/api/v1/sources")["sources"]
        return listed
    house = open_house(home, config)
    try:
        with house.state.read() as tx:
            return [plain(ledger) for ledger in house.sources.sources(tx)]
    finally:
        house.close()
