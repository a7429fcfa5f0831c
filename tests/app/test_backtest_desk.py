"""Backtests that people start: one at a time, canceled when asked, and failing aloud."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.app import backtest_desk
from tocsin.app.backtest_desk import BacktestBusy, BacktestDesk, BacktestRun, BacktestState
from tocsin.app.config import Settings
from tocsin.app.wiring import open_tocsin

COPIED = "1ad53a71-601e-41a1-9b05-219d976ce891"
FETCHED = "38277101-68fd-40d3-b828-2ed4afc9925a"
NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[BacktestDesk]:
    house = open_tocsin(Settings(home=tmp_path / "home"))
    made = BacktestDesk(house)
    yield made
    made.close()
    house.close()


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once a backtest is at work, which then goes on until it is told to stop."""
    started = threading.Event()

    def run(_: object, moved: Callable[[int, int], None], should_stop: Callable[[], bool]) -> bool:
        moved(250, 1_000)
        started.set()
        while not should_stop():
            threading.Event().wait(0.005)
        return False

    monkeypatch.setattr(backtest_desk.Backtest, "run", run)
    return started


def ended(desk: BacktestDesk, rule_id: str) -> BacktestRun:
    desk.close()
    found = desk.latest(rule_id)
    assert found is not None
    return found


def test_one_that_is_canceled_tells_what_it_had(desk: BacktestDesk, begun: threading.Event) -> None:
    desk.start(COPIED, 7, by="ebba", now=NOW)
    assert begun.wait(30)
    running = desk.running()
    assert running is not None
    assert running.percent == 25
    with pytest.raises(BacktestBusy, match="ebba"):
        desk.start(FETCHED, 7, by="ada", now=NOW)
    assert not desk.cancel(FETCHED)
    assert desk.cancel(COPIED)
    run = ended(desk, COPIED)
    assert run.state is BacktestState.CANCELED
    assert run.report is not None
    assert run.report["is_complete"] is False
    assert desk.running() is None


def test_one_that_fails_says_why_and_makes_room(
    desk: BacktestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(backtest_desk.Backtest, "run", fail)
    desk.start(COPIED, 7, by="ebba", now=NOW)
    run = ended(desk, COPIED)
    assert (run.state, run.trouble) == (BacktestState.FAILED, "RuntimeError: the disk is gone")
    monkeypatch.undo()
    desk.start(COPIED, 7, by="ebba", now=NOW)
    assert desk.latest(FETCHED) is None
