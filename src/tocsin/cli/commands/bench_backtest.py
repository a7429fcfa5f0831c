"""``tocsin bench backtest``: a backtest over the store beside the engine alone."""

from pathlib import Path
from typing import Annotated

import typer

from tocsin.app.benches.bench_backtest import bench_backtest
from tocsin.app.home.shipped import CONTENT
from tocsin.cli.options import JsonOption
from tocsin.cli.output import Exit, fail, item_progress, out, print_json
from tocsin.detect.benches.bench_lanes import BenchLane
from tocsin.detect.errors import DetectError


def backtest(
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", help="Sigma rules (default: the shipped pack).")
    ] = None,
    lane: Annotated[BenchLane, typer.Option("--lane", help="What the events are like.")] = (
        BenchLane.STRUCTURED
    ),
    events: Annotated[
        int, typer.Option("--events", min=1000, max=20_000_000, help="Events to store.")
    ] = 1_000_000,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=100, help="Times each.")] = 3,
    as_json: JsonOption = False,
) -> None:
    """Backtest: stored events through the engine, beside the engine on the same in memory."""
    with item_progress() as progress:
        task = progress.add_task("trying", total=None)
        try:
            result = bench_backtest(
                rules or [CONTENT / "rules"],
                lane,
                events,
                rounds,
                lambda done, total: progress.update(task, completed=done, total=total),
            )
        except DetectError as error:
            fail(str(error), Exit.BAD_CONTENT)
    if as_json:
        print_json(result)
        return
    for name, value in result.items():
        out.print(f"{name:>24}  {value}", markup=False)
