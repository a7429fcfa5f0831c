"""``tocsin bench latency``: how soon a finding is seen."""

from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.bench_latency import WARM_UP_S, bench_latency
from tocsin.cli.options import JsonOption
from tocsin.cli.output import item_progress, out, print_json


def latency(
    seconds: Annotated[int, typer.Option("--seconds", min=5, help="How long to send.")] = 60,
    rate: Annotated[
        int, typer.Option("--rate", min=10, max=200_000, help="Records a second.")
    ] = 10_000,
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", help="Sigma rules (default: the shipped pack).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """How soon a finding is seen: from the sender to the alert, at a steady rate."""
    with item_progress() as progress:
        task = progress.add_task("sending", total=seconds + WARM_UP_S)
        result = bench_latency(
            seconds, rate, rules, lambda done: progress.update(task, completed=done)
        )
    if as_json:
        print_json(result)
        return
    for name, value in result.items():
        out.print(f"{name:>24}  {value}", markup=False)
