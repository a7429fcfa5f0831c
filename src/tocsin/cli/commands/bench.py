"""``tocsin bench``: reproducible measurements, as JSON."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tocsin.app.bench_ingest import bench_ingest
from tocsin.app.bench_respond import bench_respond
from tocsin.app.shipped import CONTENT
from tocsin.cli.options import JsonOption
from tocsin.cli.output import item_progress, out, print_json
from tocsin.detect.bench import bench_detect
from tocsin.detect.bench_events import BenchLane

app = typer.Typer(help="Measure this machine: reproducible, prints JSON.", no_args_is_help=True)


@app.command("detect")
def detect(
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", help="Sigma rules (default: the shipped pack).")
    ] = None,
    lane: Annotated[BenchLane, typer.Option("--lane", help="What the events are like.")] = (
        BenchLane.STRUCTURED
    ),
    events: Annotated[int, typer.Option("--events", min=1000, help="Events to make.")] = 200_000,
    as_json: JsonOption = False,
) -> None:
    """Detection alone: events already decoded, one core; verdicts compared with the oracle's."""
    with item_progress() as progress:
        task = progress.add_task("detecting", total=events)
        result = bench_detect(
            rules or [CONTENT / "rules"],
            lane,
            events,
            on_progress=lambda done, _: progress.update(task, completed=done),
        )
    _show(result, as_json)


@app.command("ingest")
def ingest(
    events: Annotated[
        int, typer.Option("--events", min=1000, help="Records to take in.")
    ] = 200_000,
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", help="Sigma rules (default: the shipped pack).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """From the spool to stored events and alerts, all rooms on: the sample company's day, repeated."""
    with item_progress() as progress:
        task = progress.add_task("taking in", total=events)
        result = bench_ingest(
            events,
            rules,
            on_progress=lambda done: progress.update(task, completed=done),
        )
    _show(result, as_json)


@app.command("respond")
def respond(
    steps: Annotated[int, typer.Option("--steps", min=10, help="Durable steps to take.")] = 500,
    as_json: JsonOption = False,
) -> None:
    """Durable playbook steps a second, each recorded before the next."""
    _show(bench_respond(steps), as_json)


def _show(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    for name, value in result.items():
        out.print(f"{name:>24}  {value}", markup=False)
