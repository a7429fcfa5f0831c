"""``tocsin search``: find events, from the terminal."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tocsin.app.asked_sql import AskedSql, answer_sql
from tocsin.app.event_export import ExportFormat
from tocsin.app.exports import AskedExport
from tocsin.app.moment import parse_moment
from tocsin.app.plain import as_json as plain
from tocsin.cli.commands.searches import kept_searches, named
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.event_files import write_events
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import Exit, fail, out, print_json, print_table
from tocsin.cli.remote import Remote
from tocsin.store.query import EventQuery
from tocsin.store.stop_signal import StopSignal

app = typer.Typer()
_SQL_S = 300.0


@app.command("search")
def search(
    query: Annotated[
        str,
        typer.Argument(
            help="Lucene filter, e.g.: user:alice AND process.name:*powershell*; with --sql a SELECT over 'events'."
        ),
    ] = "",
    sql: Annotated[bool, typer.Option("--sql", help="The query is read-only SQL.")] = False,
    start: Annotated[str | None, typer.Option("--from", help="ISO time or now-24h.")] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="ISO time or now-1h; not included.")
    ] = None,
    size: Annotated[int, typer.Option("--size", min=1, max=10_000, help="Events to show.")] = 50,
    saved: Annotated[
        str, typer.Option("--saved", help="A saved search's name (see: tocsin searches list).")
    ] = "",
    how: Annotated[
        ExportFormat | None, typer.Option("--format", help="Write every event found as this.")
    ] = None,
    columns: Annotated[
        str, typer.Option("--columns", help="With --format: fields, comma-separated.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="With --format: the file; default: print.")
    ] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find events, newest first; with --format, write every one of them."""
    if how is None and (columns or output):
        fail("--columns and --output go with --format", Exit.BAD_CONFIGURATION)
    if how is not None and (sql or as_json):
        fail("--format goes with a filter, without --sql and --json", Exit.BAD_CONFIGURATION)
    facts = server_of(home, config)
    if saved:
        if query or sql:
            fail("--saved brings its own query: give one or the other", Exit.BAD_CONFIGURATION)
        one = named(kept_searches(facts, home, config), saved)
        query = one["query"]
        start = start or (one["start"] if one["start"] != "all" else None)
        end = end or one["until"]
    try:
        moments = [parse_moment(text) if text else None for text in (start, end)]
    except ValueError as error:
        fail(str(error), Exit.BAD_CONFIGURATION)
    if how is not None:
        chosen = how.columns([name for part in columns.split(",") if (name := part.strip())])
        asked = AskedExport(EventQuery(query, moments[0], moments[1]), how, chosen)
        write_events(asked, output, facts, home, config)
        return
    if facts:
        answer = _ask(Remote(facts), query, sql, moments, size)
    else:
        house = open_house(home, config)
        try:
            if sql:
                within = EventQuery("", moments[0], moments[1])
                asked_sql = AskedSql(query, size, within)
                answer = plain(answer_sql(house.searching.sql, asked_sql, StopSignal(_SQL_S)))
            else:
                answer = plain(house.events.search(EventQuery(query, moments[0], moments[1], size)))
        finally:
            house.close()
    if as_json:
        print_json(answer)
    elif sql:
        print_table("", answer["columns"], answer["rows"])
    else:
        _show(answer)


def _ask(
    remote: Remote, query: str, sql: bool, moments: list[datetime | None], size: int
) -> dict[str, Any]:
    start, end = (moment.isoformat() if moment else None for moment in moments)
    if sql:
        wanted = {"sql": query, "size": size, "from": start, "to": end}
        return remote.post("/api/v1/search/sql", json=wanted)
    params = {"q": query, "from": start, "to": end, "size": size}
    return remote.get("/api/v1/search", **params)


def _show(answer: dict[str, Any]) -> None:
    rows = [
        (
            event["time"],
            event["source"],
            event["lane"],
            event["ocsf"].get("device.hostname", ""),
            event["ocsf"].get("user.name") or event["ocsf"].get("actor.user.name", ""),
            str(event["ocsf"].get("message", ""))[:120],
        )
        for event in answer["events"]
    ]
    print_table("", ("time", "source", "lane", "host", "user", "message"), rows)
    shown, total = len(rows), answer["total"]
    out.print(
        f"{shown} of {total} events; {answer['searched_rows']} searched in {answer['took_ms']:.0f} ms",
        markup=False,
    )
