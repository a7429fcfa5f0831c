"""Mends what a crash can tear apart between the state store and the engine of durable runs.

The state store holds what people decided and what is in force; the engine holds where each run
stands. Each write goes to the state store first, so whatever the engine lacks can be made again.
"""

import structlog

from tocsin.model.response import LeaseStatus, RunStatus
from tocsin.respond.asking import RunFacts, topic_of
from tocsin.respond.leasing import LEASE_RUN, UNDO_TOPIC
from tocsin.respond.parts import Books, ResponseParts
from tocsin.respond.playbook_run import PLAYBOOK_RUN
from tocsin.store.durable import DurableError, DurableStatus

_log = structlog.get_logger()


class Reopening:
    """Starts what was not started, and says again what may not have been heard."""

    def __init__(self, parts: ResponseParts, books: Books) -> None:
        self._parts = parts
        self._books = books

    def mend(self) -> None:
        """Run once, right after the engine was opened."""
        self._mend_runs()
        self._mend_leases()
        with self._parts.state.read() as tx:
            answered = self._books.approvals.decided_but_waited_for(tx)
        for approval in answered:
            self.send_answer(approval.id)

    def send_answer(self, approval_id: str) -> None:
        """Tell the run that waits for an approval to look at the answer."""
        with self._parts.state.read() as tx:
            walk_id = self._books.approvals.walk_of(tx, approval_id)
        self.send(walk_id, topic_of(approval_id), f"{approval_id}:answer")

    def send(self, run_id: str, topic: str, key: str) -> None:
        """Wake a run. The book holds the truth, so a message that is lost only costs time."""
        try:
            self._parts.runs.send(run_id, topic, {}, key)
        except DurableError as error:
            _log.warning("a durable run could not be woken", run=run_id, reason=str(error))

    def _mend_runs(self) -> None:
        with self._parts.state.read() as tx:
            live = [
                (self._books.runs.get(tx, run_id), digest, inputs)
                for run_id, digest, inputs in self._books.runs.live(tx)
            ]
        for run, digest, inputs in live:
            if run is None:
                continue
            known = self._parts.runs.query(run.id)
            if known is None:
                facts = RunFacts(run.id, run.case_id, run.started_by, digest)
                self._parts.runs.start(PLAYBOOK_RUN, run.id, {**facts.as_json(), "inputs": inputs})
            elif known.status in (DurableStatus.DONE, DurableStatus.FAILED):
                with self._parts.state.begin() as tx:
                    error = known.error or "the run stopped without saying how it ended"
                    self._books.runs.end(tx, run.id, RunStatus.FAILED, error, self._parts.clock())

    def _mend_leases(self) -> None:
        with self._parts.state.read() as tx:
            in_force = self._books.leases.in_force(tx)
        for lease in in_force:
            known = self._parts.runs.query(lease.id)
            if known is None:
                self._parts.runs.start(LEASE_RUN, lease.id, {"lease": lease.id})
            elif known.status in (DurableStatus.DONE, DurableStatus.FAILED):
                again = f"{lease.id}.{int(self._parts.clock().timestamp() * 1000)}"
                self._parts.runs.start(LEASE_RUN, again, {"lease": lease.id})
            elif lease.status is LeaseStatus.UNDOING:
                self.send(lease.id, UNDO_TOPIC, f"{lease.id}:reopened")
