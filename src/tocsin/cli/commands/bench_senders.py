"""``tocsin bench senders``: HEC, bulk and OTLP beside NDJSON, with the same events."""

from pathlib import Path
from typing import Annotated

import typer

from tocsin.app.benches.bench_senders import bench_senders
from tocsin.cli.options import JsonOption
from tocsin.cli.output import item_progress, out, print_json


def senders(
    events: Annotated[
        int, typer.Option("--events", min=1000, max=1_000_000, help="Records for each door.")
    ] = 20_000,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=100, help="Times each.")] = 5,
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", help="Sigma rules (default: the shipped pack).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What Splunk's, Elastic's and OpenTelemetry's protocols cost beside NDJSON, all rules on."""
    with item_progress() as progress:
        task = progress.add_task("taking in", total=None)
        result = bench_senders(
            events,
            rounds,
            rules,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    if as_json:
        print_json(result)
        return
    for name, value in result.items():
        out.print(f"{name:>24}  {value}", markup=False)
