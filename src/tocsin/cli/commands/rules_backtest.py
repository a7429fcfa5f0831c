"""``tocsin rules backtest``: what rules would have found in the events that are stored."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import orjson
import typer

from tocsin.app.backtests.backtest import Backtest
from tocsin.app.backtests.backtest_keeping import keep, take_up
from tocsin.app.backtests.backtest_opening import AskedBacktest
from tocsin.app.home.shipped import rule_paths
from tocsin.app.moment import parse_moment
from tocsin.app.plain import as_json as plain
from tocsin.app.rules.rule_choice import NoSuchRule
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import Exit, err, fail, item_progress, out, print_json, print_table
from tocsin.detect.errors import DetectError
from tocsin.store.ports import StoreError

_INTERRUPTED = 130
_TITLES_SHOWN = 50

Rules = Annotated[
    list[str],
    typer.Argument(
        help="Ids or titles of rules in force; rule files or folders.", metavar="RULE..."
    ),
]
Since = Annotated[
    str | None, typer.Option("--from", help="Only events from then on (2026-11-21, now-24h).")
]
Until = Annotated[str | None, typer.Option("--to", help="Only events before then.")]
Days = Annotated[
    float, typer.Option("--days", min=0.01, help="The last so many days, unless --from is given.")
]
Samples = Annotated[
    int, typer.Option("--samples", min=0, max=1000, help="First events to keep of each rule.")
]
Resume = Annotated[
    Path | None,
    typer.Option("--resume", help="Keep progress in this file, and go on from it if it is there."),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write the JSON to a file.")]


def run_backtest(
    rules: Rules,
    since: Since = None,
    until: Until = None,
    days: Days = 30.0,
    samples: Samples = 5,
    resume: Resume = None,
    output: Output = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try rules on stored history: findings a day, whom about, what was said before, what it costs.

    Works beside a running server, with the same engine and the exceptions in force. Ctrl-C keeps
    what was computed; with --resume the next run goes on from there. Exit codes: 0 nothing would
    have been found, 1 something, 2 bad content, 3 bad configuration, 130 interrupted.
    """
    settings = settings_for(home, config)
    now = datetime.now(UTC)
    end = _moment(until) or now
    start = _moment(since) or end - timedelta(days=days)
    if start >= end:
        fail(f"--from {start} is not before --to {end}", Exit.BAD_CONFIGURATION)
    asked = AskedBacktest(
        *(settings.home, tuple(rule_paths(settings)), tuple(rules)), start, end, now, samples
    )
    try:
        with asked.open() as opened:
            for problem in opened.plan.ruleset.problems:
                err.print(f"{problem.path}:{problem.line}: {problem.reason}", markup=False)
            _take_up(opened.work, resume)
            done = _run(opened.work, resume)
            report = opened.report()
    except (NoSuchRule, StoreError) as error:
        fail(str(error), Exit.BAD_CONFIGURATION)
    _tell(report, output, as_json)
    if not done:
        raise typer.Exit(_INTERRUPTED)
    raise typer.Exit(Exit.FINDINGS if report["findings"] else Exit.DONE)


def _take_up(work: Backtest, file: Path | None) -> None:
    try:
        if file is None or not take_up(work, file):
            return
    except DetectError as error:
        fail(str(error), Exit.BAD_CONFIGURATION)
    err.print(f"going on from {plain(work.counts.reached)}", markup=False)


def _run(work: Backtest, file: Path | None) -> bool:
    with item_progress() as progress, _stop_gently() as is_stopped:
        task = progress.add_task("trying rules on events", total=None)

        def moved(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        return work.run(moved, is_stopped, lambda: _keep(work, file))


def _keep(work: Backtest, file: Path | None) -> None:
    if file is None:
        return
    try:
        keep(work, file)
    except DetectError as error:
        fail(str(error), Exit.BAD_CONFIGURATION)


@contextmanager
def _stop_gently() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C ends the work after the batch it is at, a second one at once."""
    pressed: list[int] = []

    def press(number: int, frame: FrameType | None) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_moment(text)
    except ValueError as error:
        fail(str(error), Exit.BAD_CONFIGURATION)


def _tell(report: dict[str, Any], output: Path | None, as_json: bool) -> None:
    if output is not None:
        try:
            output.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
        except OSError as error:
            fail(f"{output} can't be written: {error.strerror}", Exit.BAD_CONFIGURATION)
    for one in report["damage"]:
        err.print(one["reason"], markup=False)
    if as_json:
        print_json(report)
    else:
        _show(report)


def _show(report: dict[str, Any]) -> None:
    loud = [one for one in report["rules"] if one["findings"] or one["hidden"]]
    print_table(
        "",
        (
            "rule",
            "level",
            "findings",
            "a day",
            "entities",
            "most about",
            "before",
            "hidden",
            "CPU s/M",
        ),
        [
            (
                one["title"],
                one["level"],
                f"{one['findings']:,}",
                f"{one['findings_per_day']:,}",
                f"{one['entity_count']:,}",
                ", ".join(entity["entity"] for entity in one["entities"][:3]),
                _before(one["earlier"]["same_entities"]),
                f"{one['hidden']:,}",
                one["cpu_s_per_million_events"],
            )
            for one in loud[:_TITLES_SHOWN]
        ],
    )
    if len(loud) > _TITLES_SHOWN:
        out.print(f"… and {len(loud) - _TITLES_SHOWN} more rules; see --json", markup=False)
    quiet = len(report["rules"]) - len(loud)
    upto = "" if report["is_complete"] else f", stopped at {report['reached']}"
    out.print(
        f"{report['findings']:,} findings ({report['findings_per_day']:,} a day) by {len(loud):,} "
        f"rules, {quiet:,} found nothing; {report['events']:,} events they ask for from "
        f"{report['from']} to {report['to']}{upto}; {report['events_per_s']:,} events/s, "
        f"{report['cpu_s_per_million_events']} CPU s a million events",
        markup=False,
    )


def _before(said: dict[str, Any]) -> str:
    """What people said of earlier alerts of the same rule and entities."""
    if said["true_positive_share"] is None:
        return ""
    return f"{said['true_positive_share']:.0%} true, {said['false_positive_share']:.0%} false"
