"""``tocsin bench``: reproducible measurements, as JSON."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from tocsin.app.benches.bench_decoding import batches_in, make_decoder
from tocsin.app.benches.bench_ingest import bench_ingest
from tocsin.app.benches.bench_respond import bench_respond
from tocsin.app.benches.bench_rules import bench_rules
from tocsin.app.benches.bench_traffic import Traffic
from tocsin.app.coverage.attack_samples import SampleError
from tocsin.app.home.shipped import CONTENT, cache_folder
from tocsin.cli.bench_http import bench_http, bench_otlp
from tocsin.cli.bench_syslog import bench_syslog
from tocsin.cli.commands.bench_backtest import backtest
from tocsin.cli.commands.bench_latency import latency
from tocsin.cli.commands.bench_mapping import mapping
from tocsin.cli.commands.bench_search import search
from tocsin.cli.commands.bench_senders import senders
from tocsin.cli.options import JsonOption
from tocsin.cli.output import Exit, fail, item_progress, out, print_json
from tocsin.detect.benches.bench import bench_detect, bench_events
from tocsin.detect.benches.bench_lanes import BenchLane
from tocsin.detect.errors import DetectError
from tocsin.model.event import EventBatch


class Door(StrEnum):
    """Where the records of ``bench ingest`` come in."""

    SPOOL = "spool"
    HTTP = "http"
    OTLP = "otlp"
    SYSLOG_TCP = "syslog-tcp"


_BENCHES = {
    Door.SPOOL: bench_ingest,
    Door.HTTP: bench_http,
    Door.OTLP: bench_otlp,
    Door.SYSLOG_TCP: bench_syslog,
}

app = typer.Typer(help="Measure this machine: reproducible, prints JSON.", no_args_is_help=True)
app.command("backtest")(backtest)
app.command("senders")(senders)
app.command("latency")(latency)
app.command("mapping")(mapping)
app.command("search")(search)


@app.command("detect")
def detect(
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", help="Sigma rules (default: the shipped pack).")
    ] = None,
    lane: Annotated[BenchLane, typer.Option("--lane", help="What the events are like.")] = (
        BenchLane.STRUCTURED
    ),
    events: Annotated[
        str,
        typer.Option(
            "--events",
            help="Events to make, at least 1000; or a file of your own (NDJSON, EVTX …).",
            metavar="NUMBER|FILE",
        ),
    ] = "200000",
    multiply: Annotated[
        int, typer.Option("--multiply", min=1, max=100, help="Rules times so many, as copies.")
    ] = 1,
    cores: Annotated[int, typer.Option("--cores", min=1, max=2, help="Up to so many.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Detection: on one core and on two, decoding apart; verdicts compared with the oracle's."""
    wanted = rules or [CONTENT / "rules"]
    with item_progress() as progress:
        task = progress.add_task("detecting", total=None)

        def moved(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        try:
            if events.isdecimal():
                result = bench_detect(
                    wanted,
                    lane,
                    max(1000, int(events)),
                    multiply=multiply,
                    cores=cores,
                    decoder=None if lane is BenchLane.MIXED else make_decoder(),
                    on_progress=moved,
                )
            else:
                result = bench_events(wanted, _own_events(events), on_progress=moved)
        except DetectError as error:
            fail(str(error), Exit.BAD_CONTENT)
    _show(result, as_json)


def _own_events(path: str) -> Iterator[EventBatch]:
    if not Path(path).exists():
        fail(f"{path}: --events takes a number or an existing file", Exit.BAD_CONFIGURATION)
    return batches_in(Path(path))


@app.command("ingest")
def ingest(
    events: Annotated[
        int, typer.Option("--events", min=1000, help="Records to take in.")
    ] = 200_000,
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", help="Sigma rules (default: the shipped pack).")
    ] = None,
    traffic: Annotated[
        Traffic, typer.Option("--traffic", help="What the records are like.")
    ] = Traffic.DAY,
    door: Annotated[
        Door,
        typer.Option(
            "--door",
            help="Straight to the spool, or to a server by another way.",
        ),
    ] = Door.SPOOL,
    as_json: JsonOption = False,
) -> None:
    """Taking in: from the sender's record to stored events and alerts, all rooms on."""
    bench = _BENCHES[door]
    with item_progress() as progress:
        task = progress.add_task("taking in", total=events)
        result = bench(
            events,
            rules,
            traffic,
            on_progress=lambda done: progress.update(task, completed=done),
        )
    _show(result, as_json)


@app.command("rules")
def rules(
    samples: Annotated[
        list[Path],
        typer.Option("--samples", help="Folder of recorded attacks; may be given again."),
    ],
    corpus: Annotated[
        list[Path] | None,
        typer.Option("--corpus", help="Sigma rules to compare with; may be given again."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What the shipped pack sees of recorded attacks and how loud it is; a corpus beside it."""
    sets = {"pack": [CONTENT / "rules"], **({"corpus": corpus} if corpus else {})}
    with item_progress() as progress:
        task = progress.add_task("measuring", total=None)
        try:
            result = bench_rules(
                sets,
                samples,
                cache=cache_folder() / "rules",
                on_progress=lambda what, done, total: progress.update(
                    task, description=what[-40:], completed=done, total=total
                ),
            )
        except SampleError as error:
            fail(str(error), Exit.BAD_CONTENT)
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
