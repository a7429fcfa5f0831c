"""The offline hunt from paths to hits: plans the work, has it done, correlates, counts."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tocsin.app.hunts.hunt_correlation import Correlations
from tocsin.app.hunts.hunt_normalizing import hunting_normalizer
from tocsin.app.hunts.hunt_processes import Crew
from tocsin.app.hunts.hunt_summary import HuntSummary
from tocsin.app.hunts.hunt_work import GATHERED_BYTES, Found, Hunter, Trouble, Wanted
from tocsin.app.hunts.hunt_worker import Task
from tocsin.app.rules.hunt_selection import lean, needed_by_stateful
from tocsin.detect.hunt import HuntHit
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.ingest.cutting.slices import Slice, find_files, slices_of
from tocsin.ingest.errors import IngestError
from tocsin.model.rule import Rule

TASK_BYTES = 24 << 20
"""Evaluated in one go: the events of a lane that come together are, the cheaper each is."""
_TASK_FILES = 150
_WORTH_PROCESSES_BYTES = 48 << 20
"""Below this, starting processes costs more than they save."""
_MOST_JOBS = 8
_TOLD_TROUBLES = 1_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

OnProgress = Callable[[int, int, int], None]
"""Gets bytes read, bytes in all, events read."""


@dataclass(frozen=True, slots=True)
class HuntPlan:
    """What is hunted through, and how. Times are aware UTC; ``until`` is outside the range.

    ``jobs`` 0: as many as there are cores, when the input is large enough to make it worth it.
    ``cache`` is a folder for what the engine compiled, ``mappings`` one of one's own mappings
    (``<connector>/mapping.yml``), which go before those that ship.
    """

    paths: tuple[Path, ...]
    since: datetime | None = None
    until: datetime | None = None
    jobs: int = 0
    with_events: bool = True
    task_bytes: int = TASK_BYTES
    gathered_bytes: int = GATHERED_BYTES
    cache: Path | None = None
    mappings: Path | None = None


class Hunt:
    """One hunt. ``open`` it first (it looks at the files), then take its hits once."""

    def __init__(self, plan: HuntPlan) -> None:
        """Raises IngestError when a path does not exist."""
        for path in plan.paths:
            if not path.exists():
                raise IngestError(f"{path}: no such file or folder; give logs to hunt through")
        self._plan = plan
        self._files, self._problems = find_files(plan.paths)
        self.size_bytes = sum(map(_size, self._files))
        self.jobs = plan.jobs or self._worth_jobs()
        if any(not path.is_file() for path in self._files):
            self.jobs = 1  # a pipe is open in this process only
        self._crew = Crew(self.jobs) if self.jobs > 1 else None
        self._prepared: RuleSet | None = None

    def __enter__(self) -> "Hunt":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._crew is not None:
            self._crew.__exit__(kind)

    def prepare(self, ruleset: RuleSet) -> None:
        """Have the worker processes hold the rules. ``hits`` does it where it was not done.

        Before other threads are started (a progress bar's, say) it takes a fraction of the time.
        """
        if self._crew is not None and self._prepared is not ruleset:
            self._crew.prepare(_wanted(ruleset, self._plan))
        self._prepared = ruleset

    def hits(
        self, ruleset: RuleSet, on_progress: OnProgress | None = None
    ) -> tuple[HuntSummary, Iterator[tuple[Rule, HuntHit]]]:
        """The hits in the order of the files and their records, then those of stateful rules.

        The summary is complete when the hits have been taken.
        """
        self.prepare(ruleset)
        summary = HuntSummary(ruleset, files=len(self._files), jobs=self.jobs)
        for problem in self._problems:
            summary.unreadable[problem.place] += 1
            summary.troubles.append(Trouble(problem.place, problem.ordinal, problem.reason))
        return summary, self._hits(ruleset, summary, on_progress)

    def _hits(
        self, ruleset: RuleSet, summary: HuntSummary, on_progress: OnProgress | None
    ) -> Iterator[tuple[Rule, HuntHit]]:
        started = time.perf_counter()
        correlations = Correlations(ruleset)
        before: Counter[str] = Counter()
        read = Counter[str]()

        def on_found(found: Found) -> None:
            read.update(bytes=found.read_bytes, records=found.records)
            if on_progress is not None:
                on_progress(read["bytes"], self.size_bytes, read["records"])

        try:
            for task, found in self._founds(ruleset, on_found):
                file = task[0].path
                summary.add(found)
                _note(found, before[file], summary)
                for piece in found.evidence:
                    correlations.add(piece, before[file])
                for hit in found.hits:
                    rule = ruleset.rule(hit.rule_id)
                    if rule is not None:
                        if before[file]:
                            hit = hit._replace(ordinal=hit.ordinal + before[file])
                        summary.add_hit(hit, rule)
                        yield rule, hit
                before[file] += found.numbered
            for rule, hit in correlations.hits():
                summary.add_hit(hit, rule)
                yield rule, hit
            summary.forgotten = correlations.left_out()
        finally:
            correlations.close()
            summary.read_bytes = read["bytes"]
            summary.elapsed_s = time.perf_counter() - started

    def _founds(
        self, ruleset: RuleSet, on_found: Callable[[Found], None]
    ) -> Iterator[tuple[Task, Found]]:
        tasks = self._tasks()
        if self._crew is not None:
            yield from self._crew.run(tasks, on_found)
            return
        wanted = _wanted(ruleset, self._plan)
        hunter = Hunter(wanted, hunting_normalizer(wanted.mappings))
        for task in tasks:
            for found in hunter.work(task):
                on_found(found)
                yield task, found

    def _tasks(self) -> Iterator[Task]:
        """Large files in slices, a task each; small ones together, in order."""
        plan, now = self._plan, datetime.now(UTC)
        small: list[Slice] = []
        size = 0
        for path in self._files:
            try:
                slices = list(slices_of(path, plan.task_bytes, now))
            except OSError:
                slices = [Slice(str(path), path.name, now, 0)]  # reading it will tell why
            if len(slices) == 1 and slices[0].size_bytes < plan.task_bytes:
                small += slices
                size += slices[0].size_bytes
                if size >= plan.task_bytes or len(small) >= _TASK_FILES:
                    yield tuple(small)
                    small, size = [], 0
                continue
            if small:
                yield tuple(small)
                small, size = [], 0
            yield from ((part,) for part in slices)
        if small:
            yield tuple(small)

    def _worth_jobs(self) -> int:
        if self.size_bytes < _WORTH_PROCESSES_BYTES:
            return 1
        return min(len(os.sched_getaffinity(0)), _MOST_JOBS)


def _note(found: Found, before: int, summary: HuntSummary) -> None:
    for trouble in found.troubles:
        if len(summary.troubles) < _TOLD_TROUBLES:
            ordinal = trouble.ordinal + before if trouble.ordinal else 0
            summary.troubles.append(Trouble(trouble.file, ordinal, trouble.reason))


def _wanted(ruleset: RuleSet, plan: HuntPlan) -> Wanted:
    return Wanted(
        ruleset=lean(ruleset),
        stateful=needed_by_stateful(ruleset),
        since_us=_micros(plan.since),
        until_us=_micros(plan.until),
        with_events=plan.with_events,
        gathered_bytes=plan.gathered_bytes,
        cache=plan.cache,
        mappings=plan.mappings,
    )


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
