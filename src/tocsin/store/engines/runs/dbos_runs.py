"""Durable runs on DBOS, with a SQLite file of its own in the data folder, or on PostgreSQL.

What DBOS does not do by itself and this file does: WAL with synchronous FULL, a stable executor
id that only one process may hold, a pinned application version (otherwise changed code strands
old runs without an error), JSON instead of pickle, no network, quiet logs, one event loop of our
own (so that a waiting run holds no thread and any thread may call), and errors of steps that come
back as the same exception on replay. DBOS is one per process, so is this.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from dbos import (
    DBOS,
    DBOSConfig,
    DBOSPortableJSONSerializer,
    SetWorkflowID,
    WorkflowHandleAsync,
    error,
)

from tocsin.store.durable import (
    ChildRun,
    DurableError,
    DurableRun,
    DurableStatus,
    JsonObject,
    StepFailed,
    Workflow,
)
from tocsin.store.engines.runs.runs_database import postgres_engine, sqlite_engine
from tocsin.store.engines.runs.runs_folder import executor_id, hold_folder, release_folder
from tocsin.store.engines.state.engine_end import end

APPLICATION_VERSION = "walker-1"
"""Raise only when a workflow's *order of steps* changes; runs of an older version then stay put."""

_CLOSE_LIMIT_S = 10.0
_WORKERS, _CALLERS = 16, 4
_ALWAYS_RECOVER = 1_000_000
_STATUS = {
    "ENQUEUED": DurableStatus.WAITING_TO_START,
    "DELAYED": DurableStatus.WAITING_TO_START,
    "PENDING": DurableStatus.RUNNING,
    "SUCCESS": DurableStatus.DONE,
}

Answer = TypeVar("Answer")
Entry = Callable[..., Coroutine[Any, Any, JsonObject]]


class DbosRuns:
    """The eight calls on DBOS.

    With ``address`` (of PostgreSQL) they are kept in its schema ``dbos`` instead of a file.
    ``poll_s`` bounds how long a message takes to be noticed; each waiting run costs a look at the
    database in that time (about 0.2 ms of one core).
    """

    def __init__(self, folder: Path, poll_s: float = 0.5, address: str = "") -> None:
        self._folder = folder
        self._address = address
        self._poll_s = poll_s
        self._workflows: dict[str, Workflow] = {}
        self._entries: dict[str, Entry] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._database: sa.Engine | None = None
        self._lock: int | None = None
        self._callers: ThreadPoolExecutor | None = None
        self._steps = _StepCount()

    def register(self, name: str, workflow: Workflow) -> None:
        if self._loop is not None:
            raise DurableError(f"workflow {name!r} was registered after the engine was opened")
        self._workflows[name] = workflow

    def open(self) -> None:
        if self._loop is not None:
            raise DurableError("the engine of durable runs is already open")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = hold_folder(self._folder)
        self._database = (
            postgres_engine(self._address)
            if self._address
            else sqlite_engine(self._folder / "runs.sqlite")
        )
        self._steps = _StepCount()
        self._callers = ThreadPoolExecutor(_CALLERS, thread_name_prefix="durable-call")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=_run_loop, args=(self._loop,), name="durable-runs", daemon=True
        )
        self._thread.start()
        try:
            self._on_loop(self._launch())
        except BaseException:
            self.close()
            raise

    async def _launch(self) -> None:
        _quieten(logging.WARNING)
        DBOS(config=self._config())
        for name, workflow in self._workflows.items():
            decorate = DBOS.workflow(name=name, max_recovery_attempts=_ALWAYS_RECOVER)
            self._entries[name] = decorate(self._entry(workflow))
        DBOS.launch()  # on our own loop: DBOS runs its workflows on the loop it is launched from

    def _config(self) -> DBOSConfig:
        return DBOSConfig(
            name="tocsin",
            system_database_url=self._address or f"sqlite:///{self._folder / 'runs.sqlite'}",
            system_database_engine=self._database,
            executor_id=executor_id(self._folder),
            application_version=APPLICATION_VERSION,
            serializer=DBOSPortableJSONSerializer(),
            log_level="WARNING",
            enable_otlp=False,
            max_executor_threads=_WORKERS,
            notification_listener_polling_interval_sec=self._poll_s,
            scheduler_polling_interval_sec=5.0,
        )

    def _entry(self, workflow: Workflow) -> Entry:
        async def run(inputs: JsonObject, context: JsonObject | None = None) -> JsonObject:
            # A scheduled run is given the time it was due instead of inputs.
            given = inputs if isinstance(inputs, dict) else {"scheduled_at": str(inputs)}
            walk = _DbosWalk(str(DBOS.workflow_id), self._entry_of, self._steps)
            try:
                return {"answer": await workflow(walk, given)}
            except Exception as fault:
                return _failure(fault)

        return run

    def close(self) -> None:
        loop, thread = self._loop, self._thread
        if loop is not None and thread is not None:
            self._steps.stop(_CLOSE_LIMIT_S)
            _quieten(logging.CRITICAL)
            asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(_CLOSE_LIMIT_S)
            DBOS.destroy(destroy_registry=True)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_CLOSE_LIMIT_S)
            self._loop = self._thread = None
        self._entries.clear()
        if self._callers is not None:
            self._callers.shutdown()
            self._callers = None
        if self._database is not None:
            end(self._database)  # threads that DBOS left may still have connections
            self._database = None
        if self._lock is not None:
            release_folder(self._lock)
            self._lock = None

    def start(self, workflow: str, run_id: str, inputs: JsonObject) -> None:
        async def call() -> None:
            with SetWorkflowID(run_id):
                await DBOS.start_workflow_async(self._entry_of(workflow), inputs)

        self._on_loop(call())

    def send(self, run_id: str, topic: str, message: JsonObject, key: str) -> None:
        try:
            self._beside(lambda: DBOS.send(run_id, message, topic, idempotency_key=key))
        except error.DBOSNonExistentWorkflowError as missing:
            raise DurableError(f"no durable run {run_id!r} to send {topic!r} to") from missing

    def queue(
        self, queue: str, workflow: str, run_id: str, inputs: JsonObject, at_once: int
    ) -> None:
        async def call() -> None:
            await DBOS.register_queue_async(
                queue, worker_concurrency=at_once, polling_interval_sec=0.1
            )
            with SetWorkflowID(run_id):
                await DBOS.enqueue_workflow_async(queue, self._entry_of(workflow), inputs)

        self._on_loop(call())

    def schedule(self, name: str, workflow: str, cron: str) -> None:
        async def call() -> None:
            if await DBOS.get_schedule_async(name) is not None:
                await DBOS.delete_schedule_async(name)
            await DBOS.create_schedule_async(
                schedule_name=name, workflow_fn=cast(Any, self._entry_of(workflow)), schedule=cron
            )

        self._on_loop(call())

    def query(self, run_id: str) -> DurableRun | None:
        status = self._beside(lambda: DBOS.get_workflow_status(run_id))
        if status is None:
            return None
        output = status.output if isinstance(status.output, dict) else {}
        failed = "failure" in output
        return DurableRun(
            run_id=run_id,
            workflow=status.name,
            status=DurableStatus.FAILED
            if failed
            else _STATUS.get(status.status, DurableStatus.FAILED),
            output=output.get("answer"),
            error=output["failure"]["reason"] if failed else str(status.error or ""),
        )

    def _entry_of(self, workflow: str) -> Entry:
        entry = self._entries.get(workflow)
        if entry is None:
            known = ", ".join(sorted(self._entries)) or "none"
            raise DurableError(f"no workflow {workflow!r} is registered (registered: {known})")
        return entry

    def _beside(self, call: Callable[[], Answer]) -> Answer:
        """Make a synchronous call of DBOS on a thread of ours.

        The caller's thread may run an event loop, which DBOS refuses, or be one of the engine's
        few workers, which must not wait for another of them.
        """
        if self._callers is None:
            raise DurableError("the engine of durable runs is not open")
        return self._callers.submit(call).result()

    def _on_loop(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        if self._loop is None or threading.current_thread() is self._thread:
            work.close()
            raise DurableError(
                "the engine of durable runs is not open"
                if self._loop is None
                else "a workflow must use its walk, not the engine"
            )
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class _DbosWalk:
    """What one workflow sees; DBOS finds the run by context, so this only holds the id."""

    def __init__(self, run_id: str, entry_of: Callable[[str], Entry], steps: "_StepCount") -> None:
        self._run_id = run_id
        self._entry_of = entry_of
        self._steps = steps

    @property
    def run_id(self) -> str:
        return self._run_id

    async def step(
        self, name: str, call: Callable[[str], JsonObject], timeout_s: float | None = None
    ) -> JsonObject:
        def kept() -> JsonObject:
            with self._steps:
                try:
                    return {"answer": call(f"{DBOS.workflow_id}:{DBOS.step_id}")}
                except Exception as fault:
                    return _failure(fault)

        async def limited() -> JsonObject:
            try:
                return await asyncio.wait_for(asyncio.to_thread(kept), timeout_s)
            except TimeoutError:
                return _failure(TimeoutError(f"took longer than {timeout_s:g} s"))

        if self._steps.stopped:
            await asyncio.Event().wait()  # closing: park here until cancelled
        body: Callable[[], Any] = kept if timeout_s is None else limited
        return _unfold(name, await DBOS.run_step_async({"name": name}, body))

    async def wait(self, topic: str, timeout_s: float) -> JsonObject | None:
        message: JsonObject | None = await DBOS.recv_async(topic, max(timeout_s, 0.0))
        return message

    async def child(self, workflow: str, run_id: str, inputs: JsonObject) -> ChildRun:
        with SetWorkflowID(run_id):
            handle = await DBOS.start_workflow_async(self._entry_of(workflow), inputs)
        return _DbosChild(workflow, handle)


class _DbosChild:
    """A child's handle; the wait for its result is a checkpoint of the parent."""

    def __init__(self, workflow: str, handle: WorkflowHandleAsync[JsonObject]) -> None:
        self._workflow = workflow
        self._handle = handle

    async def result(self) -> JsonObject:
        return _unfold(self._workflow, await self._handle.get_result(polling_interval_sec=0.2))


class _StepCount:
    """How many steps run right now, so that closing can let them finish and admit no more."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self.stopped = False

    def __enter__(self) -> None:
        with self._changed:
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def stop(self, limit_s: float) -> None:
        with self._changed:
            self.stopped = True
            self._changed.wait_for(lambda: self._running == 0, limit_s)


def _failure(fault: Exception) -> JsonObject:
    if isinstance(fault, StepFailed):
        return {"failure": {"kind": fault.kind, "reason": fault.reason}}
    return {"failure": {"kind": type(fault).__name__, "reason": str(fault)}}


def _unfold(name: str, kept: JsonObject) -> JsonObject:
    failure = kept.get("failure")
    if failure is not None:
        raise StepFailed(name, failure["kind"], failure["reason"])
    answer: JsonObject = kept["answer"]
    return answer


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _cancel_all() -> None:
    """Cancel until all are gone: a wait that ends at the same moment swallows a cancellation."""
    tasks = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=0.05)


def _quieten(level: int) -> None:
    """Send DBOS's log to our own handlers (it would add one to stderr) and keep it short."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logger.setLevel(level)
