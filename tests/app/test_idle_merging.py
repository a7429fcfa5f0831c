"""What came in lately is merged soon, so that searches open little; not while records wait."""

from datetime import UTC, datetime, timedelta

import pytest

from tocsin.app import upkeep
from tocsin.app.wiring import Tocsin
from tocsin.ingest.cutting.lines import split_lines

DAY = timedelta(days=1)


def take_in(house: Tocsin, lines: int, ago: timedelta = timedelta()) -> None:
    moment = datetime.now(UTC) - ago
    text = "".join(f"{moment.isoformat()} web01 app: line {at}\n" for at in range(lines)).encode()
    house.spool.append(split_lines(text, "syslog/web01", datetime.now(UTC)))


def rows(house: Tocsin) -> list[int]:
    return sorted(one.rows for one in house.events.segments(None, None))


def test_merging_waits_while_records_do(house: Tocsin, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(8):
        take_in(house, 10)
        house.flow.drain()
    monkeypatch.setattr(upkeep, "_BUSY_BYTES", 100)
    take_in(house, 10)
    house.upkeep.merge_when_idle()
    assert rows(house) == [10] * 8
    house.flow.drain()
    house.upkeep.merge_when_idle()
    assert rows(house) == [90]


def test_what_is_older_waits_for_the_look_at_all(house: Tocsin) -> None:
    for ago in (*[DAY] * 8, *[timedelta()] * 8):
        take_in(house, 10, ago)
        house.flow.drain()
    house.upkeep.merge_when_idle()
    assert rows(house) == [*[10] * 8, 80]
    house.upkeep.keep_store()
    assert rows(house) == [160]


def test_in_any_case_it_comes_to_its_turn(house: Tocsin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_BUSY_BYTES", 0)
    for _ in range(8):
        take_in(house, 10)
        house.flow.drain()
    house.upkeep.merge_when_idle()
    assert rows(house) == [10] * 8
    house.upkeep.keep_store()
    assert rows(house) == [80]
