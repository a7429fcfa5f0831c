"""Durable runs: the eight calls we need from a workflow engine, and nothing more.

Outside a run: ``start``, ``send``, ``queue``, ``schedule``, ``query``. Inside one: ``step``,
``wait``, ``child``. A finished step is never run again; an interrupted one is, with the same key.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from tocsin.store.ports import StoreError

JsonObject = dict[str, Any]


class DurableStatus(StrEnum):
    """Where the engine has got with a run."""

    WAITING_TO_START = "waiting_to_start"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DurableRun:
    """What the engine knows of a run; ``output`` is what its workflow returned."""

    run_id: str
    workflow: str
    status: DurableStatus
    output: JsonObject | None
    error: str


class DurableError(StoreError):
    """The engine of durable runs can't do what was asked."""


class StepFailed(DurableError):
    """A step (or child) of a durable run raised; the same is raised again on replay.

    ``kind`` is the name of the exception's class, ``reason`` its text.
    """

    def __init__(self, step: str, kind: str, reason: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step
        self.kind = kind
        self.reason = reason


class ChildRun(Protocol):
    """A run started by another one."""

    async def result(self) -> JsonObject:
        """What the child returned; raises ``StepFailed`` when it raised."""
        ...


class Walk(Protocol):
    """What a workflow sees of the engine. Calls must come in the same order on every replay."""

    @property
    def run_id(self) -> str: ...

    async def step(
        self, name: str, call: Callable[[str], JsonObject], timeout_s: float | None = None
    ) -> JsonObject:
        """Run ``call(key)`` once and keep its answer; the key is ``run_id:step`` of this checkpoint.

        ``call`` runs in a worker thread. What it raises is kept too and comes back as
        ``StepFailed``, now and on each replay. With ``timeout_s`` the step fails when the call
        takes longer (the call itself is not interrupted: give time limits to reads only).
        """
        ...

    async def wait(self, topic: str, timeout_s: float) -> JsonObject | None:
        """The next message on ``topic``, or None once ``timeout_s`` has passed since first asked."""
        ...

    async def child(self, workflow: str, run_id: str, inputs: JsonObject) -> ChildRun:
        """Start another run, once; it lives on when this one ends."""
        ...


Workflow = Callable[[Walk, JsonObject], Awaitable[JsonObject]]


class DurableRuns(Protocol):
    """An engine of durable runs. Workflows are registered before ``open``."""

    def register(self, name: str, workflow: Workflow) -> None: ...

    def open(self) -> None:
        """Start the engine and take up every run that was interrupted."""
        ...

    def close(self) -> None:
        """Stop; runs that are under way go on at the next ``open``."""
        ...

    def start(self, workflow: str, run_id: str, inputs: JsonObject) -> None:
        """Start a run; a second start with the same id does nothing."""
        ...

    def send(self, run_id: str, topic: str, message: JsonObject, key: str) -> None:
        """Give a run a message; the same ``key`` is delivered once."""
        ...

    def queue(
        self, queue: str, workflow: str, run_id: str, inputs: JsonObject, at_once: int
    ) -> None:
        """Start a run when fewer than ``at_once`` of this queue are running."""
        ...

    def schedule(self, name: str, workflow: str, cron: str) -> None:
        """Start a run of ``workflow`` by cron (seconds first, UTC) with ``scheduled_at`` as input."""
        ...

    def query(self, run_id: str) -> DurableRun | None: ...
