"""Shares the work of a hunt among processes and puts their reports back in order."""

from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from tocsin.app.hunts.hunt_work import Found, Wanted, numbered_in
from tocsin.app.hunts.hunt_worker import Task, Worker, can_fork, forked, spawned
from tocsin.detect.errors import DetectError

_AHEAD = 2
"""So many tasks a worker has at hand, so that none waits for its next one."""
_HELD_HITS = 200_000
"""With so many hits waiting for an earlier task, no further task is given out."""
_MOST_DEATHS = 3
_PATIENCE_S = 3.0
"""How long a worker may take to end by itself."""


class Crew:
    """Processes that each hold the rules; use as a context manager."""

    def __init__(self, jobs: int) -> None:
        """Processes that can't be forked are started now: they load while rules are read here."""
        self._jobs = jobs
        self._wanted: Wanted | None = None
        self._deaths = 0
        self._workers = [] if can_fork() else [spawned() for _ in range(jobs)]

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for worker in self._workers:
            worker.pipe.close()
            if kind is not None or worker.tasks:
                worker.process.terminate()
        for worker in self._workers:
            worker.process.join(_PATIENCE_S)
            worker.process.kill()
            worker.process.join()

    def prepare(self, wanted: Wanted) -> None:
        """Give every worker what is wanted; quickest while this process has one thread."""
        self._wanted = wanted
        if not self._workers and can_fork():
            self._workers = forked(self._jobs, wanted)
            return
        while len(self._workers) < self._jobs:
            self._workers.append(spawned())
        for worker in self._workers:
            worker.send(wanted)

    def run(
        self, tasks: Iterator[Task], on_found: Callable[[Found], None]
    ) -> Iterator[tuple[Task, Found]]:
        """Once prepared: reports in the order of the tasks; ``on_found`` hears of each at once.

        The files of a worker that dies are reported as not hunted through, and another takes its
        place. Raises DetectError when workers keep dying.
        """
        queue = enumerate(tasks)
        waiting: dict[int, tuple[Task, list[Found]]] = {}
        due = 0
        while True:
            self._hand_out(queue, waiting)
            if not any(worker.tasks for worker in self._workers):
                return
            for worker, number, task, found in self._reports():
                on_found(found)
                waiting.setdefault(number, (task, []))[1].append(found)
                if found.is_last:
                    worker.tasks.remove((number, task))
            while due in waiting:
                task, reports = waiting.pop(due)
                yield from ((task, found) for found in reports)
                if not reports or not reports[-1].is_last:
                    waiting[due] = (task, [])
                    break
                due += 1

    def _hand_out(
        self, queue: Iterator[tuple[int, Task]], waiting: dict[int, tuple[Task, list[Found]]]
    ) -> None:
        held = sum(len(found.hits) for _, reports in waiting.values() for found in reports)
        for _ in range(_AHEAD):
            for worker in self._workers:
                if len(worker.tasks) >= _AHEAD or (held > _HELD_HITS and worker.tasks):
                    continue
                if held > _HELD_HITS and any(other.tasks for other in self._workers):
                    continue
                numbered = next(queue, None)
                if numbered is None:
                    return
                worker.tasks.append(numbered)
                worker.send(numbered)

    def _reports(self) -> Iterator[tuple[Worker, int, Task, Found]]:
        """What has come from the workers; waits until something has."""
        busy = {worker.pipe: worker for worker in self._workers if worker.tasks}
        for pipe in wait(list(busy)):
            worker = next(w for p, w in busy.items() if p is pipe)
            try:
                number, found = worker.pipe.recv()
            except (EOFError, OSError):
                yield from self._mourned(worker)
                continue
            yield worker, number, dict(worker.tasks)[number], found

    def _mourned(self, dead: Worker) -> Iterator[tuple[Worker, int, Task, Found]]:
        """A dead worker's task given up, and what it had not begun handed to another."""
        dead.process.join()
        self._deaths += 1
        reason = f"not hunted through: the process that read it died ({_end(dead.process)})"
        if self._deaths > _MOST_DEATHS:
            raise DetectError(
                f"{self._deaths} worker processes died, the last one with {_end(dead.process)}; "
                "give the hunt more memory, or --jobs 1"
            )
        fresh = spawned()
        fresh.send(self._wanted)
        self._workers[self._workers.index(dead)] = fresh
        fresh.tasks = dead.tasks
        number, task = fresh.tasks[0]
        for numbered in list(fresh.tasks)[1:]:
            fresh.send(numbered)
        found = Found(numbered=numbered_in(task[-1]), is_last=True)
        for part in task:
            found.blame(part.path, 0, reason)
        yield fresh, number, task, found


def _end(process: BaseProcess) -> str:
    code = process.exitcode or 0
    return f"signal {-code}" if code < 0 else f"exit code {code}"
