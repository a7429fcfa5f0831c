"""Backs up, checks and moves what is old by itself, when the settings say it is time."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from tocsin.app.backups.backup import let_go_of_killed
from tocsin.app.backups.backup_ledger import BackupRecord, backup_records
from tocsin.app.backups.backup_round import back_up
from tocsin.app.backups.integrity import check_integrity
from tocsin.app.backups.integrity_ledger import LastCheck, last_check, note_check
from tocsin.app.health.health_measures import Measured
from tocsin.app.home.backup_place import open_bucket
from tocsin.app.home.cold_place import cold_vault
from tocsin.app.home.stores import stores_of
from tocsin.app.home.vault_owner import COLD_SEGMENTS, claim
from tocsin.app.pacing import Pace, Stopped
from tocsin.app.settings.config import Settings
from tocsin.store.engines.parquet.cold_move import drop_forgotten, move_cold
from tocsin.store.errors import StoreError
from tocsin.store.ports import StateStore

_log = structlog.get_logger()
_LOOK_S = 60.0
_AGAIN = timedelta(minutes=15)
_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What runs now: ``backup``, ``check`` or ``cold``, and how far it is, in bytes."""

    what: str
    since: datetime
    step: str = ""
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """How safe the data folder is: its backups, the last check, and what runs now."""

    target: str
    interval_h: float
    keep: int
    records: tuple[BackupRecord, ...]
    next_at: datetime | None
    last_check: LastCheck | None
    under_way: UnderWay | None


class Safekeeping:
    """One thread for backups, checks and cold segments, one at a time, each held to its rate."""

    def __init__(self, settings: Settings, state: StateStore) -> None:
        """Nothing runs before ``start``."""
        self._settings = settings
        self._home = settings.home
        self._state = state
        self._begun_at = datetime.now(UTC)
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._asked_by = ""
        self._moved_at: datetime | None = None
        self._why_not_moved = ""
        self._thread: threading.Thread | None = None
        self._under_way: UnderWay | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="safekeeping")
        self._thread.start()

    def stop(self) -> None:
        """What is under way ends at once; what it copied is not copied again."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def ask_for_backup(self, by: str) -> bool:
        """Make one now, in the background; False when one is under way or no target is set."""
        running = self._under_way
        if not self._settings.backup.target or (running and running.what == "backup"):
            return False
        self._asked_by = by
        self._wake.set()
        return True

    def kept(self, now: datetime) -> Kept:
        """How safe the data folder is."""
        backup = self._settings.backup
        records = backup_records(self._home)
        return Kept(
            *(backup.target, backup.interval_h, backup.keep),
            records=tuple(records.values()),
            next_at=self._next_backup(records.get(backup.target), now) if backup.target else None,
            last_check=last_check(self._home),
            under_way=self._under_way,
        )

    def measured(self) -> Iterator[Measured]:
        """What health rules watch of it."""
        backup, now = self._settings.backup, datetime.now(UTC)
        record = backup_records(self._home).get(backup.target, BackupRecord(backup.target))
        age = now - (record.good_at or self._begun_at) if backup.target else timedelta(0)
        name = backup.target or "tocsin"
        share = max(0.0, age / timedelta(hours=backup.interval_h))
        yield Measured("platform", name, "backup_age_share", share)
        yield Measured("platform", name, "backup_failing", float(record.failed_at is not None))
        checked = last_check(self._home)
        damaged = len(checked.damaged) if checked else record.damaged
        yield Measured("platform", "tocsin", "damaged_files", float(damaged))
        name = self._settings.cold.target or "tocsin"
        yield Measured("platform", name, "cold_failing", float(bool(self._why_not_moved)))

    def look(self, now: datetime) -> None:
        """Do what is due: a backup that was asked for or whose time has come, then a check."""
        let_go_of_killed(self._home)
        target = self._settings.backup.target
        by, self._asked_by = self._asked_by, ""
        if target:
            record = backup_records(self._home).get(target)
            if by or now >= self._next_backup(record, now):
                self._back_up(target, by or "schedule")
        if now >= self._next_check(now):
            self._check()
        cold = self._settings.cold
        if cold.target and now >= self._after(
            self._moved_at, timedelta(hours=cold.interval_h), now
        ):
            self._move_cold(now)
            self._moved_at = now

    def _next_backup(self, record: BackupRecord | None, now: datetime) -> datetime:
        interval = timedelta(hours=self._settings.backup.interval_h)
        if record is not None and record.failed_at is not None:
            return min(record.failed_at, now) + min(_AGAIN, interval)
        return self._after(record.good_at if record else None, interval, now)

    def _next_check(self, now: datetime) -> datetime:
        """The first one an interval after the start: nothing of a new folder needs one."""
        checked = last_check(self._home)
        interval = timedelta(hours=self._settings.integrity.interval_h)
        return self._after(checked.checked_at if checked else self._begun_at, interval, now)

    @staticmethod
    def _after(last: datetime | None, interval: timedelta, now: datetime) -> datetime:
        if last is None or last > now + _CLOCKS_DIFFER:
            return now
        return last + interval

    def _back_up(self, target: str, by: str) -> None:
        settings = self._settings
        try:
            back_up(
                *(settings, target, settings.backup.keep),
                by=by,
                on_progress=self._telling("backup"),
                on_copied=Pace(self._stop, settings.backup.bytes_per_s).keep,
            )
        except StoreError as error:
            _log.error("backup_failed", target=target, reason=str(error))
        finally:
            self._under_way = None

    def _check(self) -> None:
        try:
            with cold_vault(self._home) as cold:
                found = check_integrity(
                    *(self._home, self._state),
                    cold=cold,
                    by="schedule",
                    on_progress=self._telling("check"),
                    on_read=Pace(self._stop, self._settings.integrity.bytes_per_s).keep,
                )
        finally:
            self._under_way = None
        note_check(self._home, found)
        for one in found.left:
            _log.error("damage_found", path=one.path, reason=one.reason, events=one.events)

    def _move_cold(self, now: datetime) -> None:
        cold, folder = self._settings.cold, self._home / "events"
        pace = Pace(self._stop, cold.bytes_per_s)
        before = now - timedelta(days=cold.after_days)
        self._under_way = UnderWay("cold", now)
        try:
            if stores_of(self._home).events:
                raise StoreError(
                    "events are kept by ClickHouse, and not in segments that could be moved: take "
                    "[cold] out of the settings, and give the table a storage policy of its own"
                )
            vault = open_bucket(cold.target, cold.endpoint_url, cold.region)
            try:
                claim(self._home, vault, COLD_SEGMENTS)
                drop_forgotten(folder, self._state, vault)
                moved = move_cold(folder, self._state, vault, before, pace.keep)
            finally:
                vault.close()
        except StoreError as error:
            self._why_not_moved = str(error)
            _log.error("segments_not_moved", target=cold.target, reason=str(error))
        else:
            self._why_not_moved = ""
            _log.info("segments_moved", target=cold.target, segments=moved.segments)
        finally:
            self._under_way = None

    def _telling(self, what: str) -> Callable[[str, int, int], None]:
        """Notes how far it is, and ends it when the server stops."""
        since = datetime.now(UTC)
        self._under_way = UnderWay(what, since)

        def told(step: str, done: int, total: int) -> None:
            if self._stop.is_set():
                raise Stopped
            self._under_way = UnderWay(what, since, step, done, total)

        return told

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look(datetime.now(UTC))
            except Stopped:
                return
            except Exception:
                _log.exception("safekeeping_failed", retry_s=_LOOK_S)
            self._wake.wait(_LOOK_S)
            self._wake.clear()
