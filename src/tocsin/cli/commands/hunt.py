"""``tocsin hunt``: run Sigma rules over files; no server, no state."""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import orjson
import typer

from tocsin.app.home.own_mappings import read_mappings_in
from tocsin.app.home.shipped import CONTENT, cache_folder
from tocsin.app.hunts.hunt_summary import HuntSummary
from tocsin.app.hunts.hunting import Hunt, HuntPlan, OnProgress
from tocsin.app.moment import parse_moment
from tocsin.app.rules.hunt_selection import selected
from tocsin.cli.hunt_output import Form, Told, write_table, written
from tocsin.cli.hunt_report import print_problems, print_summary
from tocsin.cli.output import Exit, err, fail, item_progress, rate_progress
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.model.severity import Level

app = typer.Typer()
_INTERRUPTED = 130

_HELP = """
Run Sigma rules over log files offline: no server, no state.

EVTX, JSON, syslog, Zeek, auditd …: what a file holds is told from its content,
record by record; gzip and zstd are read as they are. Correlations look over all files
together, in order of time. What can't be read is told with its place, and the
hunt goes on.

Examples:

  tocsin hunt winevt/Logs --rules sigma/rules
    every rule over an evidence folder: a table of rules, then a summary

  tocsin hunt logs --rules sigma/rules --level high --format timeline | less
    what is serious, as one timeline over all files

  tocsin hunt logs --format ndjson -o hits.ndjson --summary totals.json
    one object a hit for other tools, and the totals beside it

  tocsin hunt logs --tag t1059 --from 2026-11-20T22:00:00Z --to 2026-11-21
    one technique, in a range of time

Exit codes: 0 nothing found, 1 something found, 2 bad content (no rule or
nothing readable), 3 bad configuration, 130 interrupted.
"""


Paths = Annotated[list[Path], typer.Argument(help="Files or folders of logs.", metavar="PATH...")]
Rules = Annotated[
    list[Path] | None,
    typer.Option(
        "--rules",
        help="Sigma rules, a file or folder; may be given again (default: the shipped pack).",
    ),
]
Pipelines = Annotated[
    list[Path] | None,
    typer.Option("--pipeline", help="A pySigma pipeline all rules go through; may be given again."),
]
Mappings = Annotated[
    Path | None,
    typer.Option(
        "--mappings",
        help="A folder of your own mappings, <connector>/mapping.yml each, that go before those "
        "that ship (of a server: the folder mappings in its data folder).",
    ),
]
LowestLevel = Annotated[Level, typer.Option("--level", help="Lowest level to report.")]
OneRule = Annotated[
    list[str] | None,
    typer.Option("--rule", help="Only the rule of this id or title; may be given again."),
]
Tag = Annotated[
    list[str] | None,
    typer.Option("--tag", help="Only rules with this tag (attack.t1059); may be given again."),
]
Since = Annotated[
    str | None,
    typer.Option("--from", help="Only events from then on (2026-11-21T10:00:00Z, now-24h)."),
]
Until = Annotated[str | None, typer.Option("--to", help="Only events before then.")]
HowWritten = Annotated[Form, typer.Option("--format", help="How to write the hits.")]
ByTime = Annotated[
    bool, typer.Option("--by-time", help="Order the hits by time, as the timeline always is.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to a file.")]
SummaryTo = Annotated[
    Path | None, typer.Option("--summary", help="Write the summary to a file, as JSON.")
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs", "-j", min=0, max=64, help="Processes to work with (0: as many as are worth it)."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary on stderr.")]


@app.command("hunt", help=inspect.cleandoc(_HELP))
def hunt(
    paths: Paths,
    rules: Rules = None,
    pipeline: Pipelines = None,
    mappings: Mappings = None,
    level: LowestLevel = Level.INFORMATIONAL,
    rule: OneRule = None,
    tag: Tag = None,
    since: Since = None,
    until: Until = None,
    form: HowWritten = Form.TABLE,
    by_time: ByTime = False,
    output: Output = None,
    summary_to: SummaryTo = None,
    jobs: Jobs = 0,
    quiet: Quiet = False,
) -> None:
    plan = HuntPlan(
        paths=tuple(paths),
        since=_moment(since),
        until=_moment(until),
        jobs=jobs,
        with_events=form in (Form.NDJSON, Form.CSV),
        cache=cache_folder() / "engine",
        mappings=_usable(mappings),
    )
    with Hunt(plan) as hunting:
        loaded = _load(rules or [CONTENT / "rules"], pipeline or [], quiet)
        if not quiet:
            print_problems(loaded)
        if not loaded.rules:
            fail("no rule could be loaded; see above what is wrong with them")
        chosen = selected(loaded, level=level, rules=rule or (), tags=tag or ())
        if not chosen.rules and (rule or tag):
            fail("no loaded rule has this --rule or --tag (and --level)", Exit.BAD_CONFIGURATION)
        hunting.prepare(chosen)
        with _bar(quiet) as on_progress, _target(output) as target:
            summary, hits = hunting.hits(chosen, on_progress)
            for line in written(form, _until_stopped(hits, summary), by_time=by_time):
                target.write(line)
            target.flush()
    if form is Form.TABLE:
        _table(summary, output)
    if summary_to:
        summary_to.write_bytes(orjson.dumps(summary.as_json(), option=orjson.OPT_INDENT_2))
    if not quiet:
        print_summary(summary)
    raise typer.Exit(_code(summary))


def _until_stopped(hits: Iterator[Told], summary: HuntSummary) -> Iterator[Told]:
    """The hits, up to the moment somebody presses Ctrl-C; those are still written."""
    try:
        yield from hits
    except KeyboardInterrupt:
        summary.is_interrupted = True


def _code(summary: HuntSummary) -> int:
    if summary.is_interrupted:
        return _INTERRUPTED
    if summary.hits:
        return Exit.FINDINGS
    return Exit.BAD_CONTENT if summary.unreadable and not summary.records else Exit.DONE


def _load(paths: list[Path], pipelines: list[Path], quiet: bool) -> RuleSet:
    for path in paths:
        if not path.exists():
            fail(
                f"{path}: no such file or folder; --rules takes Sigma rules", Exit.BAD_CONFIGURATION
            )
    for path in pipelines:
        if not path.is_file():
            fail(f"{path}: no such file; --pipeline takes a pipeline", Exit.BAD_CONFIGURATION)
    cache = cache_folder() / "rules"
    if quiet:
        return load_rules(paths, cache=cache, pipelines=pipelines)
    with item_progress() as progress:
        task = progress.add_task("loading rules", total=None)
        return load_rules(
            paths,
            cache=cache,
            pipelines=pipelines,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def _usable(mappings: Path | None) -> Path | None:
    """The folder, when it has mappings and all of them can be used."""
    if mappings is None:
        return None
    found = read_mappings_in(mappings)
    for problem in found.problems:
        err.print(f"tocsin: {problem}", markup=False)
    if found.problems:
        fail("--mappings: see above what is wrong with them", Exit.BAD_CONFIGURATION)
    if not found.by_connector:
        fail(
            f"{mappings}: no <connector>/mapping.yml there; --mappings takes the folder above them",
            Exit.BAD_CONFIGURATION,
        )
    return mappings


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_moment(text)
    except ValueError as error:
        fail(str(error), Exit.BAD_CONFIGURATION)


@contextmanager
def _bar(quiet: bool) -> Iterator[OnProgress | None]:
    if quiet:
        yield None
        return
    with rate_progress() as progress:
        task = progress.add_task("hunting", total=None, rate="")

        def moved(done: int, total: int, events: int) -> None:
            elapsed = progress.tasks[0].elapsed or 0.0
            rate = f"{events / elapsed:,.0f} events/s" if elapsed > 1 else ""
            progress.update(task, completed=done, total=total, rate=rate)

        yield moved


@contextmanager
def _target(output: Path | None) -> Iterator[BinaryIO]:
    if output is None:
        yield sys.stdout.buffer
        return
    try:
        file = output.open("wb")
    except OSError as error:
        fail(f"{output} can't be written: {error.strerror}", Exit.BAD_CONFIGURATION)
    with file:
        yield file


def _table(summary: HuntSummary, output: Path | None) -> None:
    if output is None:
        write_table(summary, None)
        return
    with output.open("w", encoding="utf-8", newline="") as file:
        write_table(summary, file)
