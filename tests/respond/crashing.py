"""A process that runs one containment to its end and may be told where to die first.

``main(folder, point, lease_s)``: ``point`` is a call of the action with ``before`` or ``after``
(``apply:after``), ``verify:told`` (the verdict is kept, the step not yet), or ``-``. It dies there
once; started again it goes on.
It approves when the file ``may-approve`` is there, and ends a verified lease when ``may-undo`` is.
"""

import os
import signal
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from tests.respond.rig import OPERATOR, Rig, until, utc_now
from tocsin.connectors.blocklist.actions import Blocklist
from tocsin.model.response import ApprovalStatus, Impact, LeaseStatus, RunStatus, Target
from tocsin.respond.action import Action, Verdict
from tocsin.respond.asking import LogEntry, RunFacts
from tocsin.respond.leasing import Leasing
from tocsin.store.durable import JsonObject
from tocsin.store.engines.state.sqlite_state import SqliteState

ADDRESS = "203.0.113.66"


class DyingBlocklist(Blocklist):
    """The real blocklist in a process that is killed at one point, once."""

    def __init__(self, state: SqliteState, folder: Path, point: str) -> None:
        super().__init__(state)
        self._folder = folder
        self._point = point

    def plan(self, target: Target, lease_s: int) -> Impact:
        self._die_at("plan:before")
        return super().plan(target, lease_s)

    def apply(self, key: str, target: Target, expires_at: datetime) -> str:
        self._die_at("apply:before")
        handle = super().apply(key, target, expires_at)
        self._die_at("apply:after")
        return handle

    def verify(self, handle: str) -> Verdict:
        verdict = super().verify(handle)
        self._die_at("verify:after")
        return verdict

    def undo(self, handle: str) -> None:
        self._die_at("undo:before")
        super().undo(handle)
        self._die_at("undo:after")

    def _die_at(self, point: str) -> None:
        if point == self._point:
            die_once(self._folder, point)


def die_once(folder: Path, point: str) -> None:
    died = folder / "died"
    if not died.exists():
        died.write_text(point)
        os.kill(os.getpid(), signal.SIGKILL)


def die_when_verified_is_told(folder: Path) -> None:
    """Die between the transaction that keeps the verdict and the durable record of the step."""
    verify = Leasing.verify

    def verify_and_die(
        self: Leasing, facts: RunFacts, entry: LogEntry, lease_id: str
    ) -> JsonObject:
        said = verify(self, facts, entry, lease_id)
        die_once(folder, "verify:told")
        return said

    Leasing.verify = verify_and_die  # type: ignore[method-assign]


def main(folder: Path, point: str, lease_s: int) -> None:
    def actions(state: SqliteState) -> Mapping[str, Action]:
        return {"blocklist": DyingBlocklist(state, folder, point)}

    if point == "verify:told":
        die_when_verified_is_told(folder)
    rig = Rig(folder, actions=actions)
    with rig.state.read() as tx:
        runs = rig.desk.runs(tx).items
    run = runs[0] if runs else rig.request(ADDRESS, lease_s=lease_s)
    (folder / "asked").touch()

    def decide_and_look() -> bool:
        if (folder / "may-approve").exists():
            with rig.state.read() as tx:
                pending = rig.desk.approvals(tx, status=ApprovalStatus.PENDING).items
            for approval in pending:
                rig.desk.decide(
                    approval.id, approve=True, by=OPERATOR, reason="agreed", now=utc_now()
                )
        if (folder / "may-undo").exists():
            for lease in rig.leases_of(run):
                if lease.status is LeaseStatus.ACTIVE and lease.verified_at is not None:
                    rig.desk.undo(lease.id, by=OPERATOR, reason="enough", now=utc_now())
        return rig.now_of(run).status not in (RunStatus.RUNNING, RunStatus.WAITING)

    until(decide_and_look, "the end of the run")
    rig.close()
