"""``tocsin bench mapping``: what decoding and mapping take of a core, by kind of record."""

from typing import Annotated

import typer

from tocsin.app.bench_mapping import bench_mapping
from tocsin.app.bench_traffic import LINES, Traffic
from tocsin.cli.options import JsonOption
from tocsin.cli.output import item_progress, out, print_json


def mapping(
    events: Annotated[
        int, typer.Option("--events", min=1000, max=1_000_000, help="Records of each kind.")
    ] = 50_000,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=100, help="Times each.")] = 5,
    traffic: Annotated[
        list[Traffic] | None,
        typer.Option("--traffic", help="What the records are like (default: all text); repeat."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Decoding and mapping, records a second of one core's time, without store or rules."""
    with item_progress() as progress:
        task = progress.add_task("mapping", total=None)
        result = bench_mapping(
            events,
            rounds,
            tuple(traffic or LINES),
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    if as_json:
        print_json(result)
        return
    out.print(f"{'traffic':>12}{'bytes':>8}{'decoded/s':>12}{'mapped/s':>12}{'both/s':>12}")
    for name, told in result["traffic"].items():
        out.print(
            f"{name:>12}{told['bytes_per_record']:>8}{told['decoded_per_s']:>12,}"
            f"{told['mapped_per_s']:>12,}{told['both_per_s']:>12,}",
            markup=False,
            highlight=False,
        )
