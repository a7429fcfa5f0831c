"""Writes that fail, undos that fail, stores that part: nothing is forgotten, all is shown."""

import json
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from tests.respond.playbook_text import (
    BLOCKLIST,
    END,
    START,
    TOCSIN,
    end,
    openc2,
    playbook,
    start,
    step_id,
)
from tests.respond.rig import OPERATOR, RESPONDER, Rig, quick_policy, until, utc_now
from tocsin.connectors.blocklist.actions import Blocklist
from tocsin.model.response import ApprovalStatus, LeaseStatus, RunStatus, Target
from tocsin.respond.action import Action
from tocsin.respond.errors import ActionFailed
from tocsin.respond.tables import approvals
from tocsin.store.engines.state.sqlite_state import SqliteState


class Faulty(Blocklist):
    """The blocklist of a firewall that at times does not answer."""

    broken = ""

    def apply(self, key: str, target: Target, expires_at: datetime) -> str:
        if self.broken == "apply":
            raise ActionFailed("fw-1 did not answer")
        return super().apply(key, target, expires_at)

    def undo(self, handle: str) -> None:
        if self.broken == "undo":
            raise ActionFailed("fw-1 did not answer")
        if self.broken != "undo silently":
            super().undo(handle)


class Faults:
    """Makes the faulty action for a rig and keeps hold of it."""

    def __init__(self) -> None:
        self.broken = ""

    def __call__(self, state: SqliteState) -> Mapping[str, Action]:
        self.action = Faulty(state)
        self.action.broken = self.broken
        return {"blocklist": self.action}


def test_a_write_that_fails_fails_the_run_and_leaves_nothing_in_force(tmp_path: Path) -> None:
    faults = Faults()
    faults.broken = "apply"
    rig = Rig(tmp_path, actions=faults)
    try:
        run = rig.request()
        rig.approve(run)
        ended = rig.ended(run)
        assert ended.status is RunStatus.FAILED
        assert "fw-1 did not answer" in ended.error
        lease = rig.lease(run, LeaseStatus.UNDONE)
        assert "never made" in lease.error
        assert rig.blocked() == []
        assert ("response.contain", "failed", RESPONDER.name) in rig.trail.audited
    finally:
        rig.close()


@pytest.mark.parametrize(
    ("fault", "told"), [("undo", "fw-1 did not answer"), ("undo silently", "still in force")]
)
def test_an_undo_that_fails_is_shown_and_tried_again_also_after_a_restart(
    tmp_path: Path, fault: str, told: str
) -> None:
    faults = Faults()
    rig = Rig(tmp_path, actions=faults)
    try:
        run = rig.request(lease_s=3600)
        rig.approve(run)
        lease = rig.lease(run, LeaseStatus.ACTIVE, verified=True)
        faults.broken = faults.action.broken = fault
        rig.desk.undo(lease.id, by=OPERATOR, reason="ours", now=utc_now())
        failed = rig.lease(run, LeaseStatus.FAILED)
        assert told in failed.error
        assert rig.now_of(run).status is RunStatus.WAITING
        assert rig.blocked() == ["203.0.113.66"]
        faults.broken = ""
        rig.reopen()
        undone = rig.lease(run, LeaseStatus.UNDONE)
        assert undone.undone_by == OPERATOR.name
        assert undone.error == ""
        assert rig.blocked() == []
        assert rig.ended(run).status is RunStatus.SUCCEEDED
    finally:
        rig.close()


def test_a_person_may_have_a_failed_undo_tried_again_at_once(tmp_path: Path) -> None:
    faults = Faults()
    rig = Rig(tmp_path, actions=faults)
    try:
        run = rig.request(lease_s=3600)
        rig.approve(run)
        lease = rig.lease(run, LeaseStatus.ACTIVE, verified=True)
        faults.action.broken = "undo"
        rig.desk.undo(lease.id, by=OPERATOR, reason="ours", now=utc_now())
        rig.lease(run, LeaseStatus.FAILED)
        faults.action.broken = ""
        rig.desk.undo(lease.id, by=RESPONDER, reason="the firewall is back", now=utc_now())
        assert rig.lease(run, LeaseStatus.UNDONE).undone_by == OPERATOR.name
    finally:
        rig.close()


def test_what_the_engine_has_lost_is_started_again_from_the_state_store(tmp_path: Path) -> None:
    """As when the state store comes from a backup and the engine's file does not."""
    rig = Rig(tmp_path)
    try:
        held = rig.request("203.0.113.1", lease_s=2)
        rig.approve(held)
        rig.lease(held, LeaseStatus.ACTIVE, verified=True)
        rig.close()
        shutil.rmtree(tmp_path / "runs")
        rig.open()
        first = rig.lease(held, LeaseStatus.UNDONE)
        assert first.undone_by == "expiry"
        assert rig.blocked() == []
    finally:
        rig.close()


def test_an_answer_that_never_reached_the_run_is_said_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    try:
        run = rig.request()
        approval = rig.asked(run)
        with rig.state.begin() as tx:
            # What decide() commits; the server died before it could tell the run.
            tx.execute(
                update(approvals)
                .where(approvals.c.id == approval.id)
                .values(status=ApprovalStatus.APPROVED, decided_by=OPERATOR.name)
            )
        rig.reopen()
        rig.lease(run, LeaseStatus.ACTIVE, verified=True)
    finally:
        rig.close()


PARALLEL = step_id("parallel", 50)
ONE, TWO = step_id("action", 51), step_id("action", 52)
END_ONE, END_TWO = step_id("end", 53), step_id("end", 54)
HANDLER, HANDLER_END = step_id("action", 55), step_id("end", 56)


def two_blocks() -> str:
    """A playbook that blocks two addresses side by side; its handler only looks one up."""

    def block(name: str, address: str, then: str) -> dict[str, object]:
        command = openc2(
            {"action": "deny", "target": {"ipv4_net": address}, "args": {"duration": 600_000}}
        )
        step = {"type": "action", "name": name, "agent": BLOCKLIST, "commands": [command]}
        return {**step, "on_completion": then}

    look = openc2({"action": "locate", "target": {"ipv4_net": "__address__:value"}})
    workflow = {
        START: start(PARALLEL),
        PARALLEL: {"type": "parallel", "next_steps": [ONE, TWO], "on_completion": END},
        ONE: block("one", "__address__:value", END_ONE),
        TWO: block("two", "198.51.100.99", END_TWO),
        END_ONE: end(),
        END_TWO: end(),
        END: end(),
        HANDLER: {
            "type": "action",
            "name": "tell",
            "agent": TOCSIN,
            "commands": [look],
            "on_completion": HANDLER_END,
        },
        HANDLER_END: end(),
    }
    return json.dumps(playbook(workflow, name="Two blocks", workflow_exception=HANDLER))


@pytest.fixture
def two(tmp_path: Path) -> Path:
    folder = tmp_path / "playbooks"
    folder.mkdir()
    (folder / "two.json").write_text(two_blocks())
    return folder


def test_parallel_branches_ask_and_block_by_themselves(tmp_path: Path, two: Path) -> None:
    rig = Rig(tmp_path, playbooks=two)
    try:
        run = rig.request("203.0.113.1", playbook="Two blocks")
        rig.asked(run, number=2)
        rig.approve(run)
        rig.approve(run)
        assert rig.ended(run).status is RunStatus.SUCCEEDED
        assert rig.blocked() == ["198.51.100.99", "203.0.113.1"]
        assert sorted(step.name for step in rig.now_of(run).steps) == ["one", "two"]
    finally:
        rig.close()


def test_a_failing_branch_never_ends_in_success(tmp_path: Path, two: Path) -> None:
    policy = quick_policy().also_never("site", "ours", ["198.51.100.99"])
    rig = Rig(tmp_path, policy, playbooks=two)
    try:
        run = rig.request("203.0.113.1", playbook="Two blocks")
        rig.approve(run)
        ended = rig.ended(run)
        assert ended.status is RunStatus.REFUSED
        assert "never touch site" in ended.error
        statuses = {step.name: step.status for step in ended.steps}
        assert statuses == {"one": "done", "two": "refused", "tell": "done"}
        assert rig.blocked() == ["203.0.113.1"]
    finally:
        rig.close()


def test_an_automatic_policy_needs_no_person(tmp_path: Path) -> None:
    rig = Rig(tmp_path, quick_policy(automatic=True))
    try:
        run = rig.request(lease_s=1)
        assert rig.ended(run).status is RunStatus.SUCCEEDED
        assert rig.lease(run, LeaseStatus.UNDONE).approved_by == "policy"
        with rig.state.read() as tx:
            assert rig.desk.approvals(tx, run_id=run.id).total == 0
        until(lambda: not rig.blocked(), "an empty blocklist")
    finally:
        rig.close()
