"""``tocsin bench mapping``: what decoding and mapping take of a core, by kind of record."""

from typing import Annotated, Any

import typer

from tocsin.app.benches.bench_mapping import bench_connectors, bench_mapping
from tocsin.app.benches.bench_traffic import LINES, Traffic
from tocsin.cli.options import JsonOption
from tocsin.cli.output import fail, item_progress, out, print_json

_ALL = "all"


def mapping(
    events: Annotated[
        int, typer.Option("--events", min=1000, max=1_000_000, help="Records of each kind.")
    ] = 50_000,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=100, help="Times each.")] = 5,
    traffic: Annotated[
        list[Traffic] | None,
        typer.Option("--traffic", help="What the records are like (default: all text); repeat."),
    ] = None,
    connector: Annotated[
        list[str] | None,
        typer.Option(
            "--connector",
            help="Instead the samples of this connector, again and again (all: of each); repeat.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Decoding and mapping, records a second of one core's time, without store or rules."""
    if traffic and connector:
        fail("--traffic and --connector exclude each other; give one of them")
    with item_progress() as progress:
        task = progress.add_task("mapping", total=None)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        if connector:
            names = [] if _ALL in connector else connector
            try:
                result = bench_connectors(events, rounds, names, tell)
            except ValueError as error:
                fail(str(error))
        else:
            result = bench_mapping(events, rounds, tuple(traffic or LINES), tell)
    if as_json:
        print_json(result)
    elif connector:
        _print("connector", dict(sorted(result["connectors"].items(), key=_speed)))
        count, bar = len(result["connectors"]), result["bar_per_s"]
        out.print(
            f"{result['reach_bar']} of {count} map {bar:,} events a second of a core; "
            f"the one in the middle {result['median_per_s']:,}",
            highlight=False,
        )
    else:
        _print("traffic", result["traffic"])


def _speed(named: tuple[str, dict[str, Any]]) -> int:
    return int(named[1]["mapped_per_s"])


def _print(head: str, speeds: dict[str, dict[str, Any]]) -> None:
    columns = ("bytes", "lanes", "decoded/s", "mapped/s", "both/s")
    widths = (8, 7, 12, 12, 12)
    keys = ("bytes_per_record", "lanes", "decoded_per_s", "mapped_per_s", "both_per_s")
    titles = zip(columns, widths, strict=True)
    out.print(f"{head:>17}" + "".join(f"{title:>{width}}" for title, width in titles))
    for name, told in speeds.items():
        cells = "".join(f"{told[key]:>{width},}" for key, width in zip(keys, widths, strict=True))
        out.print(f"{name:>17}{cells}", markup=False, highlight=False)
