"""The durable run of a playbook: walk it, walk its exception handler, say how it ended."""

import asyncio

from tocsin.model.case import EntryKind
from tocsin.model.response import RunStatus
from tocsin.respond.asking import Asking, RunFacts
from tocsin.respond.containment import Containment
from tocsin.respond.errors import RespondError
from tocsin.respond.leasing import Leasing
from tocsin.respond.parts import Books, ResponseParts
from tocsin.respond.planner import Planner
from tocsin.respond.playbook import Playbook, read_playbook
from tocsin.respond.walker import (
    Scope,
    Unwound,
    Walker,
    initial_variables,
    walk_parallel_branch,
)
from tocsin.store.durable import JsonObject, Walk

PLAYBOOK_RUN = "respond.playbook"


class PlaybookRuns:
    """Runs playbooks and their parallel branches from the exact text a digest stands for."""

    def __init__(
        self,
        parts: ResponseParts,
        books: Books,
        planner: Planner,
        asking: Asking,
        leasing: Leasing,
    ) -> None:
        self._parts = parts
        self._books = books
        self._planner = planner
        self._asking = asking
        self._leasing = leasing

    async def run(self, walk: Walk, inputs: JsonObject) -> JsonObject:
        facts = RunFacts.from_json(inputs)
        status, error = RunStatus.SUCCEEDED, ""
        try:
            playbook = await self._playbook(facts.digest)
            walker = self._walker(playbook, walk, facts)
            scope = Scope(initial_variables(playbook.document, inputs["inputs"]))
            await self._walk(walker, playbook, scope)
        except Unwound as failure:
            status = RunStatus.REFUSED if failure.is_refusal else RunStatus.FAILED
            error = str(failure)
        except Exception as failure:
            # A fault of ours must not leave a run that looks as if it were still going.
            status, error = RunStatus.FAILED, f"{type(failure).__name__}: {failure}"
        return await walk.step("finish", lambda _: self._finish(facts, status, error))

    async def branch(self, walk: Walk, inputs: JsonObject) -> JsonObject:
        facts = RunFacts.from_json(inputs)
        playbook = await self._playbook(facts.digest)
        return await walk_parallel_branch(self._walker(playbook, walk, facts), inputs)

    def _walker(self, playbook: Playbook, walk: Walk, facts: RunFacts) -> Walker:
        performer = Containment(
            self._parts, self._books, self._planner, self._asking, self._leasing, facts
        )
        return Walker(playbook.document, performer, walk, facts.as_json())

    async def _walk(self, walker: Walker, playbook: Playbook, scope: Scope) -> None:
        handler = playbook.document.workflow_exception
        try:
            await walker.walk_branch(playbook.document.workflow_start, scope)
        except Unwound as failure:
            if handler is None:
                raise
            scope.variables["__error__"] = str(failure)
            try:
                await walker.walk_branch(handler, scope)
            except Unwound as second:
                both = f"{failure.reason}; the exception handler failed too: {second}"
                raise Unwound(failure.where, both, failure.is_refusal) from second
            raise

    async def _playbook(self, digest: str) -> Playbook:
        """The playbook as it was when the run began, whatever its file says now."""
        return await asyncio.to_thread(self._read, digest)

    def _read(self, digest: str) -> Playbook:
        with self._parts.state.read() as tx:
            text = self._books.runs.document(tx, digest)
        if text is None:
            raise RespondError(f"the playbook with digest {digest} is gone from the state store")
        playbook = read_playbook(text)
        if not isinstance(playbook, Playbook):
            raise RespondError(f"the playbook can't be walked any more: {playbook[0]}")
        if playbook.digest != digest:
            raise RespondError(f"the stored playbook is not the one with digest {digest}")
        return playbook

    def _finish(self, facts: RunFacts, status: RunStatus, error: str) -> JsonObject:
        now = self._parts.clock()
        with self._parts.state.begin() as tx:
            if self._books.runs.end(tx, facts.run_id, status, error, now):
                text = f"playbook {status.value}" + (f": {error}" if error else "")
                self._parts.audit.append(
                    tx,
                    actor=facts.started_by,
                    action="response.run",
                    subject=facts.run_id,
                    detail=text,
                    outcome=status.value,
                    now=now,
                )
                self._parts.journal.record(
                    tx,
                    facts.case_id,
                    kind=EntryKind.PLAYBOOK,
                    author=facts.started_by,
                    text=text,
                    reference=facts.run_id,
                    now=now,
                )
        return {"status": status.value, "error": error}
