"""The engine of durable runs: the eight calls, restarts, and what DBOS leaves to chance."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.respond.rig import until
from tocsin.store.durable import (
    DurableError,
    DurableRun,
    DurableStatus,
    JsonObject,
    StepFailed,
    Walk,
)
from tocsin.store.engines.runs.dbos_runs import DbosRuns
from tocsin.store.ports import HomeInUse

Made = Callable[[], DbosRuns]


class Record:
    """What steps did, over all restarts within a test."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.post_office: Callable[[], DbosRuns]

    async def wait_between(self, walk: Walk, inputs: JsonObject) -> JsonObject:
        """One step, a message, one step."""
        await walk.step("first", self._note)
        message = await walk.wait("go", 3600)
        await walk.step("second", self._note)
        return {"message": message, "inputs": inputs}

    async def fail_then_say(self, walk: Walk, inputs: JsonObject) -> JsonObject:
        """A step that raises; what the workflow sees of it, and a child that fails."""
        try:
            await walk.step("fails", self._fail)
        except StepFailed as failure:
            seen = [failure.step, failure.kind, failure.reason]
        child = await walk.child("broken", f"{walk.run_id}.1", {})
        try:
            await child.result()
        except StepFailed as failure:
            seen.append(failure.reason)
        await walk.wait("go", inputs["wait_s"])
        return {"seen": seen}

    async def broken(self, walk: Walk, inputs: JsonObject) -> JsonObject:
        """A workflow that raises."""
        raise ValueError("the child is broken")

    async def slow(self, walk: Walk, inputs: JsonObject) -> JsonObject:
        """A step over its time."""
        stop = threading.Event()
        try:
            await walk.step("slow", lambda _: {"in time": stop.wait(20)}, 0.05)
        except StepFailed as failure:
            return {"kind": failure.kind}
        finally:
            stop.set()
        return {}

    async def post(self, walk: Walk, inputs: JsonObject) -> JsonObject:
        """A step that sends from within, as the end of a lease does."""

        def send(_: str) -> JsonObject:
            self.post_office().send(inputs["to"], "go", {"from": walk.run_id}, walk.run_id)
            return {}

        await walk.step("post", send)
        return {}

    async def leaf(self, walk: Walk, inputs: JsonObject) -> JsonObject:
        """What a queue or schedule starts."""
        await walk.step("leaf", self._note)
        return inputs

    def _note(self, key: str) -> JsonObject:
        self.keys.append(key)
        return {"key": key}

    def _fail(self, key: str) -> JsonObject:
        self.keys.append(key)
        raise RuntimeError("no answer")


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture
def make(tmp_path: Path, record: Record) -> Iterator[Made]:
    made: list[DbosRuns] = []

    def open_runs() -> DbosRuns:
        runs = DbosRuns(tmp_path, poll_s=0.02)
        for name in ("wait_between", "fail_then_say", "broken", "slow", "post", "leaf"):
            runs.register(name, getattr(record, name))
        made.append(runs)
        runs.open()
        return runs

    yield open_runs
    for runs in made:
        runs.close()


def ended(runs: DbosRuns, run_id: str) -> DurableRun:
    def look() -> DurableRun | None:
        run = runs.query(run_id)
        going = (DurableStatus.RUNNING, DurableStatus.WAITING_TO_START)
        return None if run is None or run.status in going else run

    return until(look, f"the end of {run_id}")


def test_a_run_waits_over_a_restart_and_finished_steps_are_not_run_again(
    make: Made, record: Record
) -> None:
    runs = make()
    runs.start("wait_between", "run-1", {"n": 1})
    runs.start("wait_between", "run-1", {"n": 2})
    until(lambda: record.keys, "the first step")
    runs.close()
    runs = make()
    assert record.keys == ["run-1:1"]
    runs.send("run-1", "go", {"by": "a person"}, "once")
    runs.send("run-1", "go", {"by": "a double click"}, "once")
    done = ended(runs, "run-1")
    assert done.output == {"message": {"by": "a person"}, "inputs": {"n": 1}}
    assert record.keys[0] == "run-1:1"
    assert len(record.keys) == len(set(record.keys)) == 2


def test_a_message_sent_while_nobody_listens_is_not_lost(make: Made, record: Record) -> None:
    runs = make()
    runs.start("wait_between", "run-1", {})
    runs.send("run-1", "go", {"early": True}, "k")
    assert ended(runs, "run-1").output == {"message": {"early": True}, "inputs": {}}


def test_a_failed_step_is_told_the_same_way_after_a_restart(make: Made, record: Record) -> None:
    runs = make()
    runs.start("fail_then_say", "run-1", {"wait_s": 3600})
    until(lambda: runs.query("run-1.1"), "the child")
    ended(runs, "run-1.1")
    runs.close()
    runs = make()
    runs.send("run-1", "go", {}, "k")
    done = ended(runs, "run-1")
    assert done.output == {"seen": ["fails", "RuntimeError", "no answer", "the child is broken"]}
    assert record.keys == ["run-1:1"]


def test_a_deadline_passes_while_the_engine_is_down(make: Made) -> None:
    runs = make()
    runs.start("fail_then_say", "run-1", {"wait_s": 0.5})
    runs.close()
    runs = make()
    assert ended(runs, "run-1").status is DurableStatus.DONE


def test_a_workflow_that_raises_has_failed_with_its_reason(make: Made) -> None:
    runs = make()
    runs.start("broken", "run-1", {})
    failed = ended(runs, "run-1")
    assert (failed.status, failed.error) == (DurableStatus.FAILED, "the child is broken")


def test_a_step_over_its_time_fails(make: Made) -> None:
    runs = make()
    runs.start("slow", "run-1", {})
    assert ended(runs, "run-1").output == {"kind": "TimeoutError"}


def test_queues_and_schedules_start_runs(make: Made, record: Record, tmp_path: Path) -> None:
    runs = make()
    for number in range(3):
        runs.queue("narrow", "leaf", f"queued-{number}", {"n": number}, at_once=1)
    for number in range(3):
        assert ended(runs, f"queued-{number}").output == {"n": number}
    before = len(record.keys)
    runs.schedule("each-second", "leaf", "* * * * * *")
    until(lambda: len(record.keys) > before, "a scheduled run")


def test_calls_work_from_a_thread_that_runs_an_event_loop(make: Made) -> None:
    runs = make()

    async def inside() -> DurableRun | None:
        runs.start("leaf", "run-1", {"x": 1})
        return runs.query("run-1")

    assert asyncio.run(inside()) is not None
    assert ended(runs, "run-1").output == {"x": 1}


def test_waiting_runs_hold_no_threads(make: Made, record: Record) -> None:
    runs = make()
    runs.start("wait_between", "run-0", {})
    until(lambda: len(record.keys) == 1, "the first run to wait")
    for number in range(1, 60):
        runs.start("wait_between", f"run-{number}", {})
    until(lambda: len(record.keys) == 60, "all runs to wait")
    ours = [one for one in threading.enumerate() if one.name.startswith("dbos-executor")]
    assert len(ours) <= 16


def test_many_steps_may_send_at_once_without_waiting_for_each_other(
    make: Made, record: Record
) -> None:
    runs = make()
    record.post_office = lambda: runs
    for number in range(40):
        runs.start("wait_between", f"wait-{number}", {})
    for number in range(40):
        runs.start("post", f"post-{number}", {"to": f"wait-{number}"})
    for number in range(40):
        done = ended(runs, f"wait-{number}")
        assert done.output == {"message": {"from": f"post-{number}"}, "inputs": {}}


def test_a_folder_has_one_holder(make: Made, tmp_path: Path) -> None:
    make()
    second = DbosRuns(tmp_path)
    with pytest.raises(HomeInUse, match="another process"):
        second.open()


def test_the_folder_keeps_its_executor_id_and_is_json_in_wal(make: Made, tmp_path: Path) -> None:
    runs = make()
    first = (tmp_path / "executor-id").read_text()
    runs.start("leaf", "run-1", {"readable": "text"})
    ended(runs, "run-1")
    runs.close()
    make()
    assert (tmp_path / "executor-id").read_text() == first
    database = sqlite3.connect(tmp_path / "runs.sqlite")
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    (row,) = database.execute(
        "SELECT workflow_input.inputs, executor_id, application_version, serialization FROM workflow_status"
        " JOIN workflow_input USING (workflow_uuid) WHERE workflow_uuid = 'run-1'"
    ).fetchall()
    database.close()
    assert '"readable":"text"' in row[0]
    assert row[1:] == (first, "walker-1", "portable_json")


def test_misuse_is_told(make: Made, tmp_path: Path) -> None:
    closed = DbosRuns(tmp_path / "closed")
    with pytest.raises(DurableError, match="not open"):
        closed.query("run-1")
    runs = make()
    with pytest.raises(DurableError, match="no workflow 'none'"):
        runs.start("none", "run-1", {})
    with pytest.raises(DurableError, match="no durable run"):
        runs.send("nobody", "go", {}, "k")
    with pytest.raises(DurableError, match="already open"):
        runs.open()
    with pytest.raises(DurableError, match="after the engine was opened"):
        runs.register("late", Record().leaf)
    assert runs.query("nobody") is None
