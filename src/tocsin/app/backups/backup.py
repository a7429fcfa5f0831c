"""Makes a backup of a data folder while it is in use, and thins out old ones."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tocsin import __version__
from tocsin.app.backups.backup_content import (
    WORK,
    Still,
    Wanted,
    blobs,
    forget_hold,
    hold_still,
    secrets_in,
)
from tocsin.app.backups.backup_generation import (
    Absent,
    BackedFile,
    BackupError,
    Generation,
    drop_generation,
    generation_ids,
    read_generation,
    write_generation,
)
from tocsin.app.home.one_at_a_time import Busy, alone
from tocsin.app.home.stores import stores_of
from tocsin.app.home.vault_owner import BACKUPS, claim
from tocsin.store.engines.parquet.segment_places import is_cold
from tocsin.store.engines.state.sqlite_snapshot import faults
from tocsin.store.ports import Segment
from tocsin.store.vault import OnBytes, Unreadable, Vault, WrongContent

IN_CLICKHOUSE = "are kept by ClickHouse: back them up with its own BACKUP DATABASE"
_LOCK = "backup.lock"
OnProgress = Callable[[str, int, int], None]
"""What is done, bytes done, bytes in all; it may raise to stop the backup."""


@dataclass(slots=True)
class _Copying:
    """Copies what the vault does not hold yet; ``done`` counts what is in it."""

    vault: Vault
    on_progress: OnProgress
    on_copied: OnBytes
    held: dict[str, int]
    total: int = 0
    done: int = 0
    new_bytes: int = 0
    files: list[BackedFile] = field(default_factory=list)
    damaged: list[Absent] = field(default_factory=list)

    def take(self, one: Wanted) -> None:
        if one.link:
            self.files.append(BackedFile(one.path, "", 0, one.mode, one.link))
            return
        if one.expected is not None and self.held.get(one.expected) == one.size_bytes:
            self.count(one.size_bytes)
            self.files.append(BackedFile(one.path, one.expected, one.size_bytes, one.mode))
            return
        before = self.done
        try:
            checksum = self.vault.keep(one.source, one.size_bytes, one.expected, self._copied)
        except FileNotFoundError:
            if one.segment is not None:
                self.damaged.append(absent(one.segment, "it is gone"))
            return
        except (WrongContent, Unreadable) as error:
            if one.segment is not None:
                self.damaged.append(absent(one.segment, str(error)))
            else:
                self.damaged.append(Absent(one.path, str(error)))
            return
        finally:
            self.done = before + one.size_bytes
        if checksum not in self.held:
            self.held[checksum] = one.size_bytes
            self.new_bytes += one.size_bytes
        self.files.append(BackedFile(one.path, checksum, one.size_bytes, one.mode))

    def _copied(self, size: int) -> None:
        self.on_copied(size)
        self.count(size)

    def count(self, size: int) -> None:
        self.done += size
        self.on_progress("copying", self.done, self.total)


def make_backup(
    home: Path,
    vault: Vault,
    on_progress: OnProgress = lambda *_: None,
    on_copied: OnBytes = lambda _: None,
) -> Generation:
    """Back the data folder up into ``vault``, which this process alone writes to.

    It counts once its document is written, the last thing done: a stop at any time leaves the
    backups there were, and what was copied need not be copied again. ``on_copied`` hears of bytes
    that are sent, and may wait. Raises BackupError, or what the vault or those two raise.
    """
    stores = stores_of(home)
    if stores.state:
        raise BackupError(
            f"the state of {home} is kept by PostgreSQL, and a backup without it is none: back the "
            "database up with pg_dump, and after it copy the data folder"
        )
    if not (home / "state.sqlite").is_file():
        raise BackupError(f"{home} is no data folder: give one with --home")
    if "://" not in vault.url and home.resolve() in (place := Path(vault.url).resolve()).parents:
        raise BackupError(
            f"{place} lies in the data folder: a backup there is lost with it, and would be in the "
            "next one. Give a folder on another disk"
        )
    begun = datetime.now(UTC)
    busy = f"a backup of {home} is being made already: wait until it is done"
    with alone(home / _LOCK, busy):
        try:
            still = hold_still(home, lambda what, share: on_progress(what, int(share * 100), 100))
            claim(home, vault, BACKUPS)
            wrong = faults(home / WORK / "state.sqlite", thorough=False)
            if wrong:
                raise BackupError(
                    f"the state store of {home} is damaged ({wrong[0]}): a backup of it would be "
                    "too. Restore an earlier one; see: tocsin admin check"
                )
            work = _Copying(vault, on_progress, on_copied, vault.held())
            return _copy(home, work, still, begun, bool(stores.events))
        finally:
            forget_hold(home)


def _copy(
    home: Path, work: _Copying, still: Still, begun: datetime, has_events_elsewhere: bool
) -> Generation:
    wanted = still.files + [
        Wanted(f"blobs/{path.parent.name}/{path.name}", path, size, path.name)
        for path, size in blobs(home)
    ]
    work.total = sum(one.size_bytes for one in wanted)
    for one in wanted:
        work.take(one)
    generation = Generation(
        id=f"{begun:%Y%m%dT%H%M%S.%fZ}",
        begun_at=begun,
        finished_at=datetime.now(UTC),
        version=__version__,
        revision=still.revision,
        events=sum(segment.rows for segment in still.segments),
        segments=len(still.segments),
        files=tuple(work.files),
        secrets=secrets_in(wanted),
        damaged=tuple(work.damaged),
        elsewhere=(
            *(absent(one, "lies in a bucket") for one in filter(is_cold, still.segments)),
            *((Absent("events", IN_CLICKHOUSE),) if has_events_elsewhere else ()),
        ),
        new_bytes=work.new_bytes,
    )
    write_generation(work.vault, generation)
    return generation


def thin_out(vault: Vault, keep: int) -> list[str]:
    """Drop all but the latest ``keep`` backups, and the objects only they named; their ids.

    The latest one without damage is always kept.
    """
    ids = generation_ids(vault)
    known = {one: read_generation(vault, one) for one in ids}
    whole = [one for one in ids if not known[one].damaged]
    spared = {*ids[-max(1, keep) :], *whole[-1:]}
    gone = [one for one in ids if one not in spared]
    for one in gone:
        drop_generation(vault, one)
    if gone:
        named = {file.checksum for one in spared for file in known[one].files}
        for checksum in vault.held().keys() - named:
            vault.drop(checksum)
    return gone


def absent(segment: Segment, reason: str) -> Absent:
    return Absent(
        *(segment.path, reason, segment.rows),
        *(segment.first_time, segment.last_time, segment.sources),
    )


def let_go_of_killed(home: Path) -> None:
    """Free what a killed backup held: merged segments take up the disk as long as it does."""
    if (home / WORK).exists():
        with suppress(Busy), alone(home / _LOCK, ""):
            forget_hold(home)
