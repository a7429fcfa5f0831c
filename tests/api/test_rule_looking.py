"""Backtests and fills are jobs that are watched and cancelled; the ledger of a rule is read."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from tocsin.api.application import create_api
from tocsin.app.backtests.history_jobs import HistoryJobs, JobKind, JobState, TooManyJobs
from tocsin.app.backtests.kept_jobs import KeptJobs
from tocsin.app.rule_jobs import start_backtest
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.detect.errors import DetectError
from tocsin.ingest.cutting.lines import split_lines
from tocsin.model.principal import Role

RULE = "aaaaaaaa-0000-4000-8000-00000000000a"
TEXT = """
title: Whoami is run
id: aaaaaaaa-0000-4000-8000-00000000000a
logsource: {product: windows, category: process_creation}
detection:
  selection: {Image|endswith: '\\whoami.exe'}
  condition: selection
level: medium
"""
PATIENCE_S = 60


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tocsin]:
    home = tmp_path_factory.mktemp("home")
    (home / "rules").mkdir()
    settings = load_settings(home=home, syslog__enabled=False, detect__shipped_pack=False)
    opened = open_tocsin(settings)
    for number, name in enumerate(["whoami", "whoami", "hostname"]):
        record = {
            "EventID": 1,
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "Provider_Name": "Microsoft-Windows-Sysmon",
            "Computer": "ws-07",
            "TimeCreated": datetime.now(UTC).isoformat(),
            "Image": f"C:\\Windows\\System32\\{name}.exe",
            "ProcessId": number,
        }
        now = datetime.now(UTC)
        opened.spool.append(split_lines(json.dumps(record).encode(), source="ws", received_at=now))
        opened.flow.drain()
    (home / "rules" / "one.yml").write_text(TEXT)
    opened.rule_keeper.reload("me", datetime.now(UTC))
    yield opened
    opened.close()


@pytest.fixture
def ask(house: Tocsin) -> Iterator:
    with TestClient(create_api(house)) as client:

        def asked(method: str, path: str, role: Role = Role.ENGINEER, **more) -> tuple[int, dict]:
            token = house.access.create_token(
                "t", [role], lifetime_s=600, by="test", now=datetime.now(UTC)
            )
            headers = {"Authorization": f"Bearer {token}"}
            response = client.request(method, f"/api/v1{path}", headers=headers, **more)
            return response.status_code, response.json()

        yield asked


def finished(ask, job: dict) -> dict:
    until = time.monotonic() + PATIENCE_S
    while job["finished_at"] is None and time.monotonic() < until:
        threading.Event().wait(0.05)
        job = ask("GET", f"/rule-jobs/{job['id']}")[1]
    return job


def test_a_backtest_runs_beside_the_house_and_reports(ask):
    status, job = ask("POST", f"/rules/{RULE}/backtest", Role.ANALYST, json={"days": 1})
    assert status == 202
    assert job["state"] in {"waiting", "running"}
    done = finished(ask, job)
    assert done["state"] == "done", done["error"]
    (rule,) = done["result"]["rules"]
    assert (rule["id"], rule["findings"]) == (RULE, 2)
    assert rule["entities"] == [{"entity": "host:ws-07", "findings": 2}]
    assert done["done"] == done["total"] > 0
    listed = ask("GET", f"/rule-jobs?rule_id={RULE}")[1]["jobs"]
    assert job["id"] in [one["id"] for one in listed]
    assert "result" not in listed[0]


def test_a_text_somebody_works_on_is_tried_instead(ask):
    text = TEXT.replace("whoami.exe", "hostname.exe")
    _, job = ask("POST", f"/rules/{RULE}/backtest", json={"days": 1, "text": text})
    done = finished(ask, job)
    assert done["result"]["findings"] == 1
    _, broken = ask("POST", f"/rules/{RULE}/backtest", json={"days": 1, "text": "title: x"})
    failed = finished(ask, broken)
    assert failed["state"] == "failed"
    assert "no rule could be loaded" in failed["error"]


def test_what_cannot_be_tried_is_refused(ask):
    assert ask("POST", "/rules/unknown/backtest", json={})[0] == 404
    swapped = {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
    assert ask("POST", f"/rules/{RULE}/backtest", json=swapped)[0] == 422
    assert ask("POST", f"/rules/{RULE}/fill", json=swapped)[0] == 422
    assert ask("POST", f"/rules/{RULE}/fill", Role.ANALYST, json={})[0] == 403
    assert ask("GET", "/rule-jobs/unknown")[0] == 404
    assert ask("GET", "/rules/unknown/looks")[0] == 404


def test_the_ledger_shows_what_was_before_and_a_fill_makes_up_for_it(ask):
    looks = ask("GET", f"/rules/{RULE}/looks")[1]["looks"]
    assert looks["in_force"]
    assert looks["gaps"] == []
    before = looks["before"]
    wanted = {"from": before["since"], "to": before["until"]}
    status, job = ask("POST", f"/rules/{RULE}/fill", json=wanted)
    assert status == 202
    (fill,) = finished(ask, job)["result"]
    assert (fill["events"], fill["findings"], fill["by"]) == (3, 2, "token:t")
    after = ask("GET", f"/rules/{RULE}/looks")[1]["looks"]
    assert after["before"] is None
    assert len(after["fills"]) == 1


def test_a_job_that_runs_is_cancelled_through_the_door(ask, house):
    running = threading.Event()

    def work(job):
        running.set()
        while not job.should_stop():
            threading.Event().wait(0.01)
        return "what there was"

    job = house.history_jobs.submit(JobKind.FILL, RULE, "me", work)
    assert running.wait(PATIENCE_S)
    assert ask("DELETE", f"/rule-jobs/{job.id}", Role.ANALYST)[0] == 403
    assert ask("DELETE", f"/rule-jobs/{job.id}")[0] == 200
    told = finished(ask, ask("GET", f"/rule-jobs/{job.id}")[1])
    assert (told["state"], told["result"]) == ("cancelled", "what there was")


def test_jobs_wait_their_turn_and_not_too_many_do():
    jobs, go = HistoryJobs(), threading.Event()

    def fails(_):
        go.wait(PATIENCE_S)
        raise DetectError("the reason")

    held = [jobs.submit(JobKind.BACKTEST, "r", "me", fails) for _ in range(20)]
    with pytest.raises(TooManyJobs, match="20 looks"):
        jobs.submit(JobKind.BACKTEST, "r", "me", fails)
    held[5].cancel()
    go.set()
    jobs.close()
    assert held[0].state is JobState.FAILED
    assert held[0].error == "the reason"
    assert held[5].state is JobState.CANCELLED
    assert held[5].started_at is None
    assert [one.id for one in jobs.all()] == [one.id for one in held[::-1]]


def test_a_job_that_is_looked_at_does_not_end_meanwhile():
    """A page that read "no result yet" would else say "over" further down."""
    jobs, running, go = HistoryJobs(), threading.Event(), threading.Event()

    def work(_):
        running.set()
        go.wait(PATIENCE_S)
        return "all"

    job_id = jobs.submit(JobKind.BACKTEST, "r", "me", work).id
    assert running.wait(PATIENCE_S)
    looked_at, (listed,) = jobs.get(job_id), jobs.all("r")
    go.set()
    jobs.close()
    for one in (looked_at, listed):
        assert (one.state, one.result, one.is_over) == (JobState.RUNNING, None, False)
    later = jobs.get(job_id)
    assert (later.result, later.is_over) == ("all", True)


def test_a_job_that_a_stop_has_cut_off_goes_on_after_the_start(house, tmp_path):
    running = threading.Event()

    def work(job):
        running.set()
        while not job.should_stop():
            threading.Event().wait(0.01)
        return "a part"

    kept = KeptJobs(house.state)
    jobs = HistoryJobs(kept)
    over = jobs.submit(JobKind.FILL, RULE, "me", lambda _: ["all"])
    cut = jobs.submit(JobKind.BACKTEST, RULE, "me", work, {"rules": [RULE]})
    waits = jobs.submit(JobKind.FILL, RULE, "me", work, {"rules": [RULE]})
    assert running.wait(PATIENCE_S)
    killed = HistoryJobs(kept)
    assert [one.state for one in killed.all()][:2] == [JobState.INTERRUPTED] * 2
    jobs.close()
    later = HistoryJobs(kept)
    states = {one.id: one.state for one in later.all()}
    assert states[over.id] is JobState.DONE
    assert (states[cut.id], states[waits.id]) == (JobState.INTERRUPTED, JobState.INTERRUPTED)
    assert later.get(over.id).result == ["all"]
    again = later.get(cut.id)
    assert again.asked == {"rules": [RULE]}
    later.resume(again, lambda job: "the whole")
    over = threading.Event()
    later.submit(JobKind.FILL, RULE, "me", lambda _: over.set())
    assert over.wait(PATIENCE_S)
    later.close()
    again = later.get(cut.id)
    assert (again.state, again.result) == (JobState.DONE, "the whole")
    assert HistoryJobs(kept).get(cut.id).result == "the whole"


def test_an_interrupted_backtest_is_resumed_through_the_door(ask, house):
    now = datetime.now(UTC)
    job = start_backtest(house, (RULE,), now - timedelta(days=365), now, by="me")
    done = finished(ask, ask("GET", f"/rule-jobs/{job.id}")[1])
    assert ask("POST", f"/rule-jobs/{job.id}/resume")[0] == 409
    job.state = JobState.INTERRUPTED  # as the next start finds it
    assert ask("POST", f"/rule-jobs/{job.id}/resume")[0] == 202
    again = finished(ask, ask("GET", f"/rule-jobs/{job.id}")[1])
    assert again["state"] == "done"
    assert again["result"]["findings"] == done["result"]["findings"]
