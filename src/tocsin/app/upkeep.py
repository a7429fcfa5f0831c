"""What goes on beside the flow: merging, trimming, watching health, rules and open windows."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Connection

from tocsin.app.flow.flow import Flow
from tocsin.app.flow.rule_budget import RuleBudget
from tocsin.app.health.health_measures import Measured
from tocsin.app.health.health_round import HealthRound, Measurements
from tocsin.app.rules.rule_book import RuleBook
from tocsin.app.rules.rule_keeper import RuleKeeper
from tocsin.app.senders.mapping_keeper import MappingKeeper
from tocsin.app.settings.config import Settings
from tocsin.app.storage.storage_watch import StorageWatch
from tocsin.model.intake import Intake
from tocsin.store.ports import EventStore, WorkQueue

_log = structlog.get_logger()
_CLOSE_INTERVAL_S = 2.0
_BUDGET_INTERVAL_S = 2.0
_GRACE_S = 60.0
_STORAGE_INTERVAL_S = 2.0
_BEAT_INTERVAL_S = 30.0
IDLE_MERGE_INTERVAL_S = 5.0
"""Time between looks for segments to merge while the flow has hands free."""
LATELY = timedelta(hours=1)
"""Older events wait for the look at all segments, which takes the longer the more there are."""
_BUSY_BYTES = 8 << 20
"""With so much waiting in the spool the flow has none."""


class Upkeep:
    """Two threads: the flow itself, and the regular jobs. A job that fails is tried again."""

    def __init__(
        self,
        settings: Settings,
        flow: Flow,
        events: EventStore,
        spool: WorkQueue,
        health: HealthRound,
        rules: RuleKeeper,
        book: RuleBook,
        *,
        budget: RuleBudget,
        mappings: MappingKeeper,
        beat: Callable[[datetime], None],
    ) -> None:
        """Nothing runs before ``start``. ``beat`` notes that the platform is up."""
        self._settings = settings
        self._flow = flow
        self._events = events
        self._spool = spool
        self._health = health
        self._rules = rules
        self._book = book
        self._budget = budget
        self._mappings = mappings
        self._beat = beat
        self._storage: StorageWatch | None = None
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._started = 0.0

    def start(self) -> None:
        self._started = time.monotonic()
        self.note_being_up()
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
        if self._threads:
            self.note_being_up()
        self._threads = []

    def watch_intakes(self, intakes: Callable[[], Sequence[Intake]]) -> None:
        """Let the health rules see how it goes with what is fetched from elsewhere."""
        self._health.intakes = intakes

    def watch_doors(self, doors: Callable[[], Sequence[tuple[str, float]]]) -> None:
        """Let the health rules see how full listeners are: by name the share of connections."""
        self._health.doors = doors

    def watch_storage(self, storage: StorageWatch) -> None:
        """Delete what may go by the rules of retention, and tell when the disk will be full."""
        self._storage = storage
        self._health.storage = storage.measured

    def watch_safekeeping(self, measured: Callable[[], Iterable[Measured]]) -> None:
        """Let the health rules see how old backups are, and what a check found damaged."""
        self._health.safekeeping = measured

    def history_comes_in(self) -> AbstractContextManager[None]:
        """While old records are being read in, the regular looks at health wait."""
        return self._health.history_comes_in()

    def watch_sources(self, now: datetime | None = None) -> int:
        """Look for sources that fell silent and add a finding for each; how many are silent."""
        return self._health.look_for_silence(now)

    def judge_health(self, now: datetime | None = None) -> int:
        """Judge all measurements by the health rules; how many new troubles there are."""
        return self._health.judge_health(now)

    def measure(self, tx: Connection, now: datetime) -> Measurements:
        """What the health rules are judged by, as it is now."""
        return self._health.measure(tx, now)

    def close_windows(self) -> None:
        """Let time go on for correlations, once senders had time to come back after a start."""
        if self._health.is_watching and time.monotonic() - self._started > _GRACE_S:
            self._flow.close_windows(datetime.now(UTC))

    def take_up_rules(self) -> None:
        """Put rules in force whose files have changed, and end exceptions whose time is over."""
        now = datetime.now(UTC)
        self._rules.look(now)
        self._book.expire(now)

    def take_up_mappings(self) -> None:
        """Put one's own mappings in force whose files have changed."""
        self._mappings.look(datetime.now(UTC))

    def merge_when_idle(self) -> None:
        """Merge what came in lately soon, as a search opens all of it; not while records wait."""
        if self._spool.backlog_bytes() < _BUSY_BYTES:
            self._events.merge_small(datetime.now(UTC) - LATELY)

    def keep_store(self) -> None:
        """Merge small segments and give back spool space."""
        self._events.merge_small()
        self._spool.trim()

    def keep_retention(self) -> None:
        """Delete a bounded part of what may go."""
        if self._storage is not None and self._health.is_watching:
            self._storage.look(datetime.now(UTC))

    def keep_budget(self) -> None:
        """Pause rules that cost too much, and let those back that have earned time again."""
        self._budget.look(datetime.now(UTC))

    def note_being_up(self) -> None:
        """So that a time when the platform did not run is known afterwards."""
        self._beat(datetime.now(UTC))

    def _watch_regularly(self) -> None:
        if self._health.is_watching:
            self.watch_sources()

    def _judge_regularly(self) -> None:
        if self._health.is_watching:
            self.judge_health()

    def _run_jobs(self) -> None:
        settings = self._settings
        jobs: list[tuple[float, Callable[[], object]]] = [
            (settings.store.merge_interval_s, self.keep_store),
            (min(IDLE_MERGE_INTERVAL_S, settings.store.merge_interval_s), self.merge_when_idle),
            (settings.health.silence_interval_s, self._watch_regularly),
            (settings.health.measure_interval_s, self._judge_regularly),
            (settings.detect.reload_interval_s, self.take_up_rules),
            (settings.detect.reload_interval_s, self.take_up_mappings),
            (_CLOSE_INTERVAL_S, self.close_windows),
            (_BUDGET_INTERVAL_S, self.keep_budget),
            (_STORAGE_INTERVAL_S, self.keep_retention),
            (_BEAT_INTERVAL_S, self.note_being_up),
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
