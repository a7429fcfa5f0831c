"""A server stopped in the middle of a backtest, politely and not, resumes it to the same end."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.server_process import ServerProcess, wait_until
from tocsin.app.backtests.backtest_opening import AskedBacktest
from tocsin.app.home.history_opening import open_history
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import open_tocsin
from tocsin.ingest.cutting.lines import split_lines

RULE = "bbbbbbbb-0000-4000-8000-00000000000b"
TEXT = """
title: Whoami is run
id: aaaaaaaa-0000-4000-8000-00000000000a
name: whoami
logsource: {product: windows, category: process_creation}
detection:
  selection: {Image|endswith: '\\whoami.exe'}
  condition: selection
level: medium
---
title: Whoami is run again and again
id: bbbbbbbb-0000-4000-8000-00000000000b
correlation:
  type: event_count
  generate: true
  rules: [whoami]
  group-by: [Computer]
  timespan: 1d
  condition: {gte: 5}
level: high
"""
SEGMENTS, EACH = 7, 3
TEST_OWN = {"TOCSIN_DETECT__SHIPPED_PACK": "false", "TOCSIN_DETECT__BACKTEST_STRETCH_ROWS": "2"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Segments an hour apart, each larger than a stretch."""
    folder = tmp_path / "home"
    (folder / "rules").mkdir(parents=True)
    (folder / "rules" / "one.yml").write_text(TEXT)
    house = open_tocsin(
        load_settings(home=folder, syslog__enabled=False, detect__shipped_pack=False)
    )
    begin = datetime.now(UTC) - timedelta(hours=SEGMENTS + 1)
    for number in range(SEGMENTS):
        records = [
            {
                "EventID": 1,
                "Channel": "Microsoft-Windows-Sysmon/Operational",
                "Provider_Name": "Microsoft-Windows-Sysmon",
                "Computer": "ws-07",
                "UtcTime": f"{begin + timedelta(hours=number, seconds=at):%Y-%m-%d %H:%M:%S.000}",
                "Image": f"C:\\Windows\\System32\\{'whoami' if at else 'hostname'}.exe",
                "ProcessId": at,
            }
            for at in range(EACH)
        ]
        lines = "\n".join(map(json.dumps, records)).encode()
        house.spool.append(split_lines(lines, source="ws", received_at=datetime.now(UTC)))
        house.flow.drain()
    house.close()
    return folder


@contextmanager
def held_up(segment: Path) -> Iterator[None]:
    """Who reads the segment waits as long as this lasts: a pipe nobody writes to lies there."""
    aside = segment.with_suffix(".aside")
    segment.rename(aside)
    os.mkfifo(segment)
    try:
        yield
    finally:
        gate = segment.with_suffix(".gate")
        segment.rename(gate)
        aside.rename(segment)
        with suppress(OSError):  # who waited is gone
            os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
        gate.unlink()


def kept_until(home: Path) -> str:
    """How far the backtest that runs has been kept; empty before."""
    for file in (home / "cache" / "backtests").glob("*.json"):
        return str(json.loads(file.read_bytes())["reached"])
    return ""


def job_of(server: ServerProcess, job_id: str) -> dict[str, Any]:
    told: dict[str, Any] = server.client.get(f"/api/v1/rule-jobs/{job_id}").json()
    return told


def tried(home: Path) -> dict[str, Any]:
    """The same backtest without a server."""
    now = datetime.now(UTC)
    days = timedelta(days=30)
    asked = AskedBacktest(home, (home / "rules",), (RULE,), now - days, now, now)
    with asked.open() as opened:
        assert opened.work.run()
        return opened.report()


def started(server: ServerProcess) -> str:
    answer = server.client.post(f"/api/v1/rules/{RULE}/backtest", json={"days": 30})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def resumed(server: ServerProcess, job_id: str) -> None:
    assert job_of(server, job_id)["state"] == "interrupted"
    answer = server.client.post(f"/api/v1/rule-jobs/{job_id}/resume")
    assert answer.status_code == 202, answer.text


def result_of(server: ServerProcess, job_id: str) -> dict[str, Any]:
    wait_until(lambda: job_of(server, job_id)["finished_at"], "the backtest to end")
    job = job_of(server, job_id)
    assert job["state"] == "done", job
    result: dict[str, Any] = job["result"]
    assert result["is_complete"]
    return result


@pytest.mark.slow
def test_a_backtest_goes_on_after_a_stop_and_after_a_kill(home: Path) -> None:
    with open_history(home) as (events, _):
        paths = [home / "events" / one.path for one in events.segments(None, None)]
    assert len(paths) == SEGMENTS
    undisturbed = tried(home)
    server = ServerProcess(home, **TEST_OWN)
    with server:
        with held_up(paths[3]):
            job_id = started(server)
            wait_until(lambda: kept_until(home), "a part of the backtest to be kept")
            server.stop()
        first = kept_until(home)
        server.start()
        with held_up(paths[5]):
            resumed(server, job_id)
            wait_until(lambda: kept_until(home) > first, "more of it to be kept")
            server.kill()
        paths[0].unlink()  # it would be missed if the backtest began anew
        server.start()
        resumed(server, job_id)
        again = result_of(server, job_id)
    assert found_by(again) == found_by(undisturbed)
    assert (again["events"], again["damage"]) == (SEGMENTS * EACH, [])


def found_by(result: dict[str, Any]) -> list[dict[str, Any]]:
    """What counts over all segments came to: the same only if what was counted was kept.

    Without what depends on the processor and on when it was asked: the range ends then, and what
    is found a day is by its length.
    """
    aside = dict.fromkeys(("cpu_s", "cpu_s_per_million_events", "findings_per_day"), 0)
    rules = [{**one, **aside} for one in result["rules"]]
    (repeated,) = (one for one in rules if one["id"] == RULE)
    assert repeated["samples"][-1]["event_count"] > EACH
    return rules
