"""Starts long looks at history for rules: backtests, and filling what a rule has missed."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tocsin.app.backtests.backtest_opening import AskedBacktest
from tocsin.app.backtests.backtest_process import backtest_apart
from tocsin.app.backtests.history_jobs import HistoryJob, JobKind, JobState, TooManyJobs, Work
from tocsin.app.backtests.rule_fill import RuleFill
from tocsin.app.home.shipped import rule_paths
from tocsin.app.packs.changed_rules import ChangedRules
from tocsin.app.packs.pack_desk import PackPlan
from tocsin.app.packs.pack_replay import AskedReplay
from tocsin.app.plain import as_json
from tocsin.app.wiring import Tocsin
from tocsin.detect.errors import DetectError
from tocsin.model.identifier import new_id

RangeOfTime = tuple[datetime, datetime]
_REPLAY_ROWS = 100_000
_FORGOTTEN_S = 3600


class NotInterrupted(DetectError):
    """A job that can't be resumed, as it was not interrupted."""


def start_backtest(
    house: Tocsin,
    rule_ids: Sequence[str],
    start: datetime,
    end: datetime,
    *,
    by: str,
    samples: int = 5,
    text: str = "",
) -> HistoryJob:
    """Try rules (or ``text`` instead) on stored events; raises ``TooManyJobs``.

    The job's result is the report of ``backtest_report``. It belongs to the first rule.
    """
    asked = {
        "rules": list(rule_ids),
        "spans": as_json([(start, end)]),
        "now": as_json(datetime.now(UTC)),
        "samples": samples,
        "text": text,
        "kept": new_id("backtest"),
    }
    work = _backtest(house, asked)
    return house.history_jobs.submit(JobKind.BACKTEST, rule_ids[0], by, work, asked)


def latest_backtest(house: Tocsin, rule_id: str, *, with_result: bool = False) -> HistoryJob | None:
    """The latest that tries this rule, alone or with others; none that tries a text instead."""
    for job in house.history_jobs.all():
        asked = job.asked if job.kind is JobKind.BACKTEST else {}
        of_rule = rule_id in asked.get("rules", ()) and not asked["text"]
        if of_rule and (job.result or not with_result):
            return job
    return None


def start_fill(house: Tocsin, rule_id: str, spans: Sequence[RangeOfTime], *, by: str) -> HistoryJob:
    """Let a rule look at what was received in ``spans``; raises ``TooManyJobs``.

    The job's result lists the fills that were finished.
    """
    asked = {"rules": [rule_id], "spans": as_json(spans)}
    work = _fill(house, asked, by)
    return house.history_jobs.submit(JobKind.FILL, rule_id, by, work, asked)


def start_replay(
    house: Tocsin, plan: PackPlan, *, days: float, seconds: float, by: str
) -> HistoryJob:
    """Try what a pack's update changes on stored events; raises ``TooManyJobs``.

    The job's result is what ``OpenReplay`` reports. The changed rules are kept until it is over,
    so that it can be resumed.
    """
    asked = {
        "days": days,
        "seconds": seconds,
        "now": as_json(datetime.now(UTC)),
        "kept": new_id("replay"),
    }
    changed = _changed_file(house, asked)
    _sweep(house)
    ChangedRules.of(plan).keep(changed)
    try:
        return house.history_jobs.submit(
            JobKind.REPLAY, plan.manifest.name, by, _replay(house, asked), asked
        )
    except TooManyJobs:
        changed.unlink()
        raise


def resume(house: Tocsin, job: HistoryJob, *, by: str) -> None:
    """Go on with a job the server's stop has cut off: a backtest or replay from where it was.

    Raises ``NotInterrupted`` and ``TooManyJobs``.
    """
    if job.state is not JobState.INTERRUPTED or not job.asked:
        raise NotInterrupted(f"{job.id} is {job.state.value}: only what was interrupted goes on")
    match job.kind:
        case JobKind.FILL:
            work = _fill(house, job.asked, by)
        case JobKind.REPLAY:
            work = _replay(house, job.asked)
        case JobKind.BACKTEST:
            work = _backtest(house, job.asked)
    house.history_jobs.resume(job, work)


def _backtest(house: Tocsin, asked: Mapping[str, Any]) -> Work:
    ((start, end),) = _spans(asked)
    kept = _kept_file(house, asked)
    wanted = AskedBacktest(
        *(house.settings.home, tuple(rule_paths(house.settings)), tuple(asked["rules"])),
        start,
        end,
        now=datetime.fromisoformat(asked["now"]),
        samples=asked["samples"],
        text=asked["text"],
        kept=kept,
        stretch_rows=house.settings.detect.backtest_stretch_rows,
    )

    def work(job: HistoryJob) -> dict[str, Any]:
        report = backtest_apart(wanted, job.moved, job.should_stop, job.patience_s)
        if report["is_complete"]:
            kept.unlink(missing_ok=True)
        return report

    return work


def _replay(house: Tocsin, asked: Mapping[str, Any]) -> Work:
    wanted = AskedReplay(
        house.settings.home,
        _changed_file(house, asked),
        days=asked["days"],
        seconds=asked["seconds"],
        now=datetime.fromisoformat(asked["now"]),
        kept=_kept_file(house, asked),
        stretch_rows=min(_REPLAY_ROWS, house.settings.detect.backtest_stretch_rows),
    )

    def work(job: HistoryJob) -> dict[str, Any]:
        try:
            return backtest_apart(wanted, job.moved, job.should_stop, job.patience_s)
        finally:
            if not job.is_cut_off:
                wanted.kept.unlink(missing_ok=True)
                wanted.changed.unlink(missing_ok=True)

    return work


def _sweep(house: Tocsin) -> None:
    """Remove what was kept for jobs that nobody can resume any more."""
    live = {
        job.asked.get("kept")
        for job in house.history_jobs.all()
        if not job.is_over or job.state is JobState.INTERRUPTED
    }
    for file in (house.settings.home / "cache" / "backtests").glob("*.*"):
        with suppress(OSError):
            is_old = time.time() - file.stat().st_mtime > _FORGOTTEN_S
            if is_old and file.name.partition(".")[0] not in live:
                file.unlink()


def _kept_file(house: Tocsin, asked: Mapping[str, Any]) -> Path:
    return house.settings.home / "cache" / "backtests" / f"{asked['kept']}.json"


def _changed_file(house: Tocsin, asked: Mapping[str, Any]) -> Path:
    return _kept_file(house, asked).with_suffix(".rules")


def _fill(house: Tocsin, asked: Mapping[str, Any], by: str) -> Work:
    (rule_id,) = asked["rules"]

    def work(job: HistoryJob) -> list[dict[str, Any]]:
        done = []
        for start, end in _spans(asked):
            fill = RuleFill(house, rule_id, start, end)
            found = fill.run(by, datetime.now(UTC), job.moved, job.should_stop)
            if found is None:
                break
            done.append(as_json(found))
        return done

    return work


def _spans(asked: Mapping[str, Any]) -> list[RangeOfTime]:
    return [
        (datetime.fromisoformat(start), datetime.fromisoformat(end))
        for start, end in asked["spans"]
    ]
