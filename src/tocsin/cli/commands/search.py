"""``tocsin search``: find events, from the terminal."""

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tocsin.app.moment import parse_moment
from tocsin.app.plain import as_json as plain
from tocsin.app.searches.asked_sql import AskedSql, answer_sql
from tocsin.app.searches.event_export import ExportFormat
from tocsin.app.searches.exports import AskedExport
from tocsin.app.searches.split_histogram import split_histogram
from tocsin.app.searches.sql_export import AskedSqlExport
from tocsin.app.wiring import Tocsin
from tocsin.cli.commands.searches import kept_searches, named
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.event_files import write_events
from tocsin.cli.event_table import show_events, show_histogram, show_split
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import Exit, err, fail, print_json, print_table
from tocsin.cli.remote import Remote
from tocsin.store.filter_hints import filter_hints
from tocsin.store.query import EventQuery
from tocsin.store.stop_signal import StopSignal

app = typer.Typer()
_SQL_S = 300.0
_HELP = """Find events, newest first; with --format, write every one; with --histogram, count them.

tocsin search 'user:alice AND NOT source:nginx'
tocsin search 'src_ip:10.0.0.0/8' --from now-7d
tocsin search '"failed password" OR cmd:*powershell*'
tocsin search 'native.EventID:4688 AND _exists_:user'
tocsin search user:bob --histogram 24 --by source
tocsin search user:bob --format parquet -o bob.parquet
tocsin search --sql 'SELECT max(time) FROM events'

Words stand for themselves, * for any letters, "…" for a
phrase, /…/ for a pattern, [1 TO 9] for a range. Fields
are OCSF's (process.cmd_line) or short (user, host,
src_ip); native.Field is a source's own, native:word
looks in all of these.
"""


@app.command("search", help=_HELP)
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
        ExportFormat | None,
        typer.Option("--format", help="Write every event (or row of --sql) as this."),
    ] = None,
    columns: Annotated[
        str, typer.Option("--columns", help="Fields to show or write, comma-separated.")
    ] = "",
    bars: Annotated[
        int, typer.Option("--histogram", min=0, max=200, help="Show counts in so many spans.")
    ] = 0,
    by: Annotated[
        str, typer.Option("--by", help="With --histogram: split by the values of this field.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="With --format: the file; default: print.")
    ] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Events, newest first, in any of the ways they can be shown or written."""
    chosen = [name for part in columns.split(",") if (name := part.strip())]
    _check_options(how, output, chosen, bars, by, is_sql=sql, is_json=as_json)
    facts = server_of(home, config)
    if saved:
        if query or sql:
            fail("--saved brings its own query: give one or the other", Exit.BAD_CONFIGURATION)
        query, begun, until = _kept(named(kept_searches(facts, home, config), saved))
        start, end = start or begun, end or until
    moments = _moments(start, end)
    if how is not None:
        write_events(_export(query, sql, moments, how, chosen), output, facts, home, config)
        return
    if facts:
        answer = _ask(Remote(facts), query, sql, moments, size, bars, by)
    else:
        with closing(open_house(home, config)) as house:
            answer = plain(_look(house, query, sql, moments, size, bars, by))
    if as_json:
        print_json(answer)
    else:
        _show(answer, chosen)


def _kept(one: dict[str, Any]) -> tuple[str, str | None, str]:
    """The query and range of a saved search."""
    return one["query"], one["start"] if one["start"] != "all" else None, one["until"]


def _export(
    query: str,
    sql: bool,
    moments: list[datetime | None],
    how: ExportFormat,
    columns: list[str],
) -> AskedExport | AskedSqlExport:
    if sql:
        return AskedSqlExport(query, how, EventQuery("", moments[0], moments[1]))
    return AskedExport(EventQuery(query, moments[0], moments[1]), how, how.columns(columns))


def _check_options(
    how: ExportFormat | None,
    output: Path | None,
    columns: list[str],
    bars: int,
    by: str,
    *,
    is_sql: bool,
    is_json: bool,
) -> None:
    """Ends the command when options are given that don't go together."""
    if by and not bars:
        fail("--by goes with --histogram", Exit.BAD_CONFIGURATION)
    if how is None and output:
        fail("--output goes with --format", Exit.BAD_CONFIGURATION)
    if how is not None and is_json:
        fail("--format writes a file of its own kind: leave --json away", Exit.BAD_CONFIGURATION)
    if columns and (is_sql or (is_json and how is None)):
        fail("--columns goes with a table or --format", Exit.BAD_CONFIGURATION)
    if bars and (is_sql or how is not None or columns):
        fail("--histogram goes with a filter alone", Exit.BAD_CONFIGURATION)


def _show(answer: dict[str, Any], columns: list[str]) -> None:
    if "rows" in answer:
        for problem in answer["problems"]:
            err.print(problem, markup=False)
        print_table("", answer["columns"], answer["rows"])
    elif "values" in answer:
        show_split(answer)
    elif "buckets" in answer:
        show_histogram(answer["buckets"])
    else:
        for hint in answer["hints"]:
            err.print(f"hint: {hint['told']}; try: {hint['better']}", markup=False, soft_wrap=True)
        show_events(answer, columns)


def _moments(start: str | None, end: str | None) -> list[datetime | None]:
    try:
        return [parse_moment(text) if text else None for text in (start, end)]
    except ValueError as error:
        fail(str(error), Exit.BAD_CONFIGURATION)


def _look(
    house: Tocsin,
    query: str,
    sql: bool,
    moments: list[datetime | None],
    size: int,
    bars: int,
    by: str,
) -> object:
    if sql:
        asked = AskedSql(query, size, EventQuery("", moments[0], moments[1]))
        return answer_sql(house.searching.sql, asked, StopSignal(_SQL_S))
    wanted = EventQuery(query, moments[0], moments[1], size)
    if bars and by:
        return split_histogram(house.events, wanted, by, bars)
    if bars:
        return {"buckets": house.events.histogram(wanted, bars)}
    hints = filter_hints(query, house.events.field_names)
    return dict(plain(house.events.search(wanted))) | {"hints": hints}


def _ask(
    remote: Remote,
    query: str,
    sql: bool,
    moments: list[datetime | None],
    size: int,
    bars: int,
    by: str,
) -> dict[str, Any]:
    start, end = (moment.isoformat() if moment else None for moment in moments)
    if sql:
        wanted = {"sql": query, "size": size, "from": start, "to": end}
        return remote.post("/api/v1/search/sql", json=wanted)
    params = {"q": query, "from": start, "to": end}
    if bars:
        return remote.get("/api/v1/search/histogram", **params, buckets=bars, split=by or None)
    return remote.get("/api/v1/search", **params, size=size)
