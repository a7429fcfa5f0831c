"""``tocsin bench search``: searches over a store of millions of events."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from tocsin.app.benches.bench_search import bench_search
from tocsin.cli.options import JsonOption
from tocsin.cli.output import item_progress, out, print_json


class Beside(StrEnum):
    """An engine that is asked the same."""

    CLICKHOUSE = "clickhouse"


def search(
    events: Annotated[
        int, typer.Option("--events", min=200_000, max=200_000_000, help="Events to search in.")
    ] = 1_000_000,
    rounds: Annotated[int, typer.Option("--rounds", min=2, max=1000, help="Times each.")] = 10,
    keep: Annotated[
        Path,
        typer.Option(
            "--keep", help="Folder for the store; a second run makes none.", metavar="DIR"
        ),
    ] = Path("tocsin-bench-search"),
    beside_ingest: Annotated[
        bool,
        typer.Option("--ingest/--no-ingest", help="Search beside 10,000 events/s coming in, too."),
    ] = True,
    beside: Annotated[
        Beside | None,
        typer.Option("--beside", help="Ask an engine in this process the same, in the same table."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Search: terms, top values, histograms, words, fields; alone, ten at once, beside ingest."""
    keep.mkdir(parents=True, exist_ok=True)
    with item_progress() as progress:
        task = progress.add_task("making events", total=None)

        def moved(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        result = bench_search(
            *(events, rounds, keep),
            beside_ingest=beside_ingest,
            beside_clickhouse=beside is Beside.CLICKHOUSE,
            on_progress=moved,
        )
    if as_json:
        print_json(result)
        return
    out.print(_table(result["queries"]))
    for name, value in result.items():
        if name != "queries":
            out.print(f"{name:>26}  {value}", markup=False)


def _table(queries: dict[str, dict[str, Any]]) -> Table:
    columns = list(dict.fromkeys(name for told in queries.values() for name in told))
    table = Table("query", *columns)
    for name, told in queries.items():
        cells = (told.get(column) for column in columns)
        table.add_row(name, *("" if cell is None else f"{cell:,}" for cell in cells))
    return table
