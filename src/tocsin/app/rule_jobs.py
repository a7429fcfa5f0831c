"""Starts long looks at history for rules: backtests, and filling what a rule has missed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tocsin.app.backtest_opening import AskedBacktest
from tocsin.app.backtest_process import backtest_apart
from tocsin.app.history_jobs import HistoryJob, JobKind
from tocsin.app.plain import as_json
from tocsin.app.rule_fill import RuleFill
from tocsin.app.shipped import rule_paths
from tocsin.app.wiring import Tocsin

RangeOfTime = tuple[datetime, datetime]


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
    asked = AskedBacktest(
        house.settings.home,
        tuple(rule_paths(house.settings)),
        tuple(rule_ids),
        start,
        end,
        datetime.now(UTC),
        samples,
        text,
    )

    def work(job: HistoryJob) -> dict[str, Any]:
        return backtest_apart(asked, job.moved, job.should_stop)

    return house.history_jobs.submit(JobKind.BACKTEST, rule_ids[0], by, work)


def start_fill(house: Tocsin, rule_id: str, spans: Sequence[RangeOfTime], *, by: str) -> HistoryJob:
    """Let a rule look at what was received in ``spans``; raises ``TooManyJobs``.

    The job's result lists the fills that were finished.
    """

    def work(job: HistoryJob) -> list[dict[str, Any]]:
        done = []
        for start, end in spans:
            fill = RuleFill(house, rule_id, start, end)
            found = fill.run(by, datetime.now(UTC), job.moved, job.should_stop)
            if found is None:
                break
            done.append(as_json(found))
        return done

    return house.history_jobs.submit(JobKind.FILL, rule_id, by, work)
