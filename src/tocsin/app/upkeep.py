"""What goes on beside the flow: merging, trimming, and watching the sources."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog

from tocsin.app.config import Settings
from tocsin.app.flow import Flow
from tocsin.ingest.ledger import SourceBook
from tocsin.ingest.silence import find_silent, silence_findings
from tocsin.store.ports import EventStore, StateStore, WorkQueue

_log = structlog.get_logger()


class Upkeep:
    """Two threads: the flow itself, and the regular jobs. A job that fails is tried again."""

    def __init__(
        self,
        settings: Settings,
        *,
        flow: Flow,
        events: EventStore,
        spool: WorkQueue,
        state: StateStore,
        sources: SourceBook,
    ) -> None:
        """Nothing runs before ``start``."""
        self._settings = settings
        self._flow = flow
        self._events = events
        self._spool = spool
        self._state = state
        self._sources = sources
        self._stop = threading.Event()
        self._watching = threading.Event()
        self._watching.set()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._threads = [
            threading.Thread(
                target=self._flow.run,
                args=(self._stop, self._settings.flow.cut_s),
                name="flow",
            ),
            threading.Thread(target=self._run_jobs, name="upkeep"),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let the running turn finish, then end both threads."""
        self._stop.set()
        self._flow.wake()
        for thread in self._threads:
            thread.join()
        self._threads = []

    @contextmanager
    def history_comes_in(self) -> Iterator[None]:
        """While old records are being read in, the regular look for silent sources waits.

        Sources that are read in one after the other are at different moments of the past; only
        when all are in can it be told who fell silent.
        """
        self._watching.clear()
        try:
            yield
        finally:
            self._watching.set()

    def watch_sources(self, now: datetime | None = None) -> int:
        """Look for sources that fell silent and add a finding for each; how many are silent."""
        moment = now or datetime.now(UTC)
        with self._state.read() as tx:
            ledgers = self._sources.sources(tx, moment)
            silent = find_silent(ledgers, moment)
            fresh = self._sources.unreported(tx, silent)
        if fresh:
            self._flow.add_findings(silence_findings(fresh, ledgers, moment))
            with self._state.begin() as tx:
                self._sources.mark_reported(tx, fresh)
        return len(silent)

    def keep_store(self) -> None:
        """Merge small segments and give back spool space."""
        self._events.merge_small()
        self._spool.trim()

    def _watch_regularly(self) -> None:
        if self._watching.is_set():
            self.watch_sources()

    def _run_jobs(self) -> None:
        jobs: list[tuple[float, Callable[[], object]]] = [
            (self._settings.store.merge_interval_s, self.keep_store),
            (self._settings.health.silence_interval_s, self._watch_regularly),
        ]
        due = [time.monotonic() + interval for interval, _ in jobs]
        while not self._stop.wait(timeout=max(0.05, min(due) - time.monotonic())):
            for number, (interval, job) in enumerate(jobs):
                if time.monotonic() < due[number]:
                    continue
                try:
                    job()
                except Exception:
                    _log.exception("upkeep_job_failed", job=job.__name__, retry_s=interval)
                due[number] = time.monotonic() + interval
