"""``tocsin sources``: who sends, how much, and what could not be read."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tocsin.app.plain import as_json as plain
from tocsin.app.plain import page_json
from tocsin.app.senders.source_ledgers import source_ledgers
from tocsin.cli.commands.sources_check_pull import check_pull
from tocsin.cli.commands.sources_files import list_files
from tocsin.cli.commands.sources_owner import set_source_owner
from tocsin.cli.commands.sources_pulls import list_pulls
from tocsin.cli.commands.sources_replay import replay_sources
from tocsin.cli.commands.sources_test import try_source
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import print_json, print_table
from tocsin.cli.remote import Remote

_COLUMNS = (
    *("name", "received", "stored", "quarantined", "duplicates", "waiting", "unrecognized"),
    *("ahead", "late", "dropped", "tls refused", "last seen", "silent since", "owner"),
)
app = typer.Typer(help="See who sends, how much, and what could not be read.", no_args_is_help=True)

app.command("check-pull")(check_pull)
app.command("files")(list_files)
app.command("owner")(set_source_owner)
app.command("pulls")(list_pulls)
app.command("test")(try_source)
app.command("replay")(replay_sources)


@app.command("list")
def list_sources(
    home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Every source with its ledger: received = stored + quarantined + duplicates + waiting.

    Ahead are events whose clock was ahead of ours, late those that came over an hour late;
    dropped is what the kernel dropped of a listener before it could be read, tls refused are
    connections to one on which no TLS came about (the log says why).
    """
    sources = _sources(home, config)
    if as_json:
        print_json(sources)
        return
    print_table(
        "",
        _COLUMNS,
        ([one[name.replace(" ", "_")] for name in _COLUMNS] for one in sources),
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
        found = source_ledgers(house.state, house.sources, house.spool, datetime.now(UTC))
        return [plain(ledger) for ledger in found.ledgers]
    finally:
        house.close()
