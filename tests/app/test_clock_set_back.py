"""A clock that is set back makes no rule miss events in silence, and nothing is told twice."""

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from tests.app.rules import test_rule_looks
from tests.app.rules.test_rule_looks import RULE, Desk, rule_text
from tocsin.app.flow import flow

BACK = timedelta(hours=1)


class Earlier(datetime):
    """The clock an hour ago."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) - BACK


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "home")
    yield made
    made.house.close()


def set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "datetime", Earlier)
    monkeypatch.setattr(test_rule_looks, "datetime", Earlier)


def filled(desk: Desk) -> int:
    return sum(desk.fill(gap).findings for gap in desk.looks(RULE).gaps)


def test_a_gap_that_begins_after_it_was_set_back_is_filled(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.rule(rule_text())
    desk.events(2)
    with monkeypatch.context() as clock:
        set_back(clock)
        desk.drop()
        desk.events(3)
    desk.rule(rule_text())
    assert desk.found() == 2
    assert filled(desk) == 3
    assert filled(desk) == 0
    assert desk.found() == 5


def test_a_gap_that_ends_after_it_was_set_back_is_filled(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.rule(rule_text())
    desk.events(2)
    desk.drop()
    desk.events(3)
    set_back(monkeypatch)
    desk.events(1)
    desk.rule(rule_text())
    desk.events(1)
    assert desk.found() == 3
    assert filled(desk) == 4
    assert desk.found() == 7
