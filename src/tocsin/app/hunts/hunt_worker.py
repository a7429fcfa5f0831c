"""One worker process of a hunt: forked with the rules at hand where that is safe, or spawned."""

import gc
import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import structlog

from tocsin.app.collector import collect_seldom, spare_long_lived
from tocsin.app.hunts.hunt_normalizing import hunting_normalizer
from tocsin.app.hunts.hunt_work import Hunter, Wanted
from tocsin.ingest.cutting.slices import Slice

Task = tuple[Slice, ...]

_NAME = "tocsin-hunt"
_SPAWN = get_context("spawn")


@dataclass(slots=True)
class Worker:
    """A process, the pipe to it, and the tasks it was given and has not finished."""

    process: BaseProcess
    pipe: Connection
    tasks: deque[tuple[int, Task]] = field(default_factory=deque)

    def send(self, message: object) -> None:
        """Hand over; that a process is dead is learned when its answer is waited for."""
        with suppress(OSError):
            self.pipe.send(message)


def can_fork() -> bool:
    """Whether a copy of this process can go on by itself: on Linux, while it has one thread.

    Threads of libraries do not count: those of OpenBLAS and jemalloc are prepared for a fork.
    """
    return sys.platform == "linux" and len(sys._current_frames()) == 1


def forked(jobs: int, wanted: Wanted) -> list[Worker]:
    """Workers that have all this process has loaded, and share its memory as long as they can."""
    hunter = Hunter(wanted, hunting_normalizer(wanted.mappings))
    workers: list[Worker] = []
    fork = get_context("fork")
    with _collector_at_rest():
        for _ in range(jobs):
            ours, theirs = fork.Pipe()
            others = [ours, *(worker.pipe for worker in workers)]
            process = fork.Process(
                target=_work_as_copy, args=(theirs, others, hunter), daemon=True, name=_NAME
            )
            process.start()
            theirs.close()
            workers.append(Worker(process, ours))
    return workers


def spawned() -> Worker:
    """A worker that loads by itself and waits to be sent what is wanted."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_work_from_scratch, args=(theirs,), daemon=True, name=_NAME)
    process.start()
    theirs.close()
    return Worker(process, ours)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Copies find all objects set aside from collection, so that memory stays shared."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _work_as_copy(pipe: Connection, others: Sequence[Connection], hunter: Hunter) -> None:
    _prepare()
    for other in others:
        other.close()  # or nobody would learn that the parent has died
    collect_seldom()
    _work(pipe, hunter)


def _work_from_scratch(pipe: Connection) -> None:
    _prepare()
    normalizer = hunting_normalizer()
    try:
        wanted: Wanted = pipe.recv()
        if wanted.mappings is not None:
            normalizer = hunting_normalizer(wanted.mappings)
        hunter = Hunter(wanted, normalizer)
    except (EOFError, OSError):
        return  # the hunt was over before it began
    spare_long_lived()
    _work(pipe, hunter)


def _prepare() -> None:
    """Ctrl-C is the parent's to handle, and so is telling what goes on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))


def _work(pipe: Connection, hunter: Hunter) -> None:
    """What a worker process runs until its pipe is closed."""
    try:
        while True:
            number, task = pipe.recv()
            for found in hunter.work(task):
                pipe.send((number, found))
    except (EOFError, OSError):
        return  # the hunt is over
