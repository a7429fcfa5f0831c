"""Brings segments that lie in a bucket to a bounded folder here, for as long as queries need them."""

import fcntl
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tocsin.store.engines.parquet.segment_places import COLD, is_cold
from tocsin.store.ports import Segment
from tocsin.store.vault import MissingObject, Vault, VaultError, WrongContent

_AWAY_S = 30.0
NO_BUCKET = "lies in a bucket that the settings do not name (cold.target)"
_FORGOTTEN = f"{COLD}/forgotten"
_DROPPING = f"{COLD}/forgotten.dropping"


def note_forgotten(folder: Path, checksum: str) -> None:
    """Note that a cold segment was deleted, for ``forgotten``."""
    path = folder / _FORGOTTEN
    path.parent.mkdir(exist_ok=True)
    while True:
        with path.open("a", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                    file.write(f"{checksum}\n")
                    return
        # It was set aside between opening and locking: what is written there is read by nobody.


@contextmanager
def forgotten(folder: Path) -> Iterator[list[str]]:
    """Checksums of cold segments that were deleted; they stay noted unless all goes well.

    What is noted meanwhile is told the next time.
    """
    noted, aside = folder / _FORGOTTEN, folder / _DROPPING
    if noted.exists() and not aside.exists():
        with noted.open("a", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            noted.rename(aside)
    yield aside.read_text(encoding="ascii").split() if aside.exists() else []
    aside.unlink(missing_ok=True)


class ColdShelf:
    """The folder ``cold`` of the store, never larger than ``limit_bytes``; the least used goes first.

    Safe between threads. A bucket that can't be reached is not asked again for half a minute, so
    that people wait for it once.
    """

    def __init__(self, folder: Path, vault: Callable[[], Vault] | None, limit_bytes: int) -> None:
        """``vault`` opens the bucket when it is first needed; None: there is none."""
        self._folder = folder
        self._open = vault
        self._vault: Vault | None = None
        self._limit_bytes = limit_bytes
        self._turn = threading.Lock()
        self._held: Counter[str] = Counter()
        self._counting = threading.RLock()  # a hold may be let go in the midst of counting
        self._away_until = 0.0
        self._why_away = ""

    def hold(self) -> "Hold":
        """What is brought through it stays here until it is let go."""
        return Hold(self)

    def bring(self, segments: Sequence[Segment], hold: "Hold") -> dict[str, str]:
        """Fetch those that are cold and not here; by id why one could not be."""
        reasons: dict[str, str] = {}
        for segment in filter(is_cold, segments):
            with self._turn:
                if not self._is_here(segment):
                    reason = self._fetch(segment)
                    if reason:
                        reasons[segment.id] = reason
                        continue
                self._note(segment, hold)
        return reasons

    def forget(self, segment: Segment) -> None:
        """Note that a segment was deleted: its object is dropped by who moves others there."""
        if is_cold(segment):
            note_forgotten(self._folder, segment.checksum)

    def let_go(self, paths: Sequence[str]) -> None:
        with self._counting:
            self._held.subtract(paths)
            self._held += Counter()  # forgets those at nought

    def _note(self, segment: Segment, hold: "Hold") -> None:
        with suppress(FileNotFoundError):
            (self._folder / segment.path).touch()
        if segment.path not in hold.paths:
            hold.paths.append(segment.path)
            with self._counting:
                self._held[segment.path] += 1

    def _is_here(self, segment: Segment) -> bool:
        return (self._folder / segment.path).is_file()

    def _fetch(self, segment: Segment) -> str:
        if self._open is None:
            return NO_BUCKET
        if time.monotonic() < self._away_until:
            return self._why_away
        if not self._make_room(segment.size_bytes):
            return (
                f"lies in the cold bucket and has no room in {self._limit_bytes:,} bytes beside "
                "what this and other queries hold: narrow the time range, or raise cold.cache_bytes"
            )
        try:
            if self._vault is None:
                self._vault = self._open()
            self._vault.fetch(segment.checksum, self._folder / segment.path, lambda _: None)
        except (MissingObject, WrongContent) as error:
            return f"can't be given back by the cold bucket ({error})"
        except VaultError as error:
            self._away_until = time.monotonic() + _AWAY_S
            self._why_away = f"lies in the cold bucket, and {error}"
            return self._why_away
        except OSError as error:
            return (
                f"can't be brought from the cold bucket ({error.strerror}: {self._folder / COLD})"
            )
        return ""

    def _make_room(self, size: int) -> bool:
        there = []
        for path in (self._folder / COLD).glob("*/*.parquet"):
            with suppress(FileNotFoundError):
                told = path.stat()
                there.append((told.st_mtime, told.st_size, path))
        left = self._limit_bytes - sum(one[1] for one in there)
        for _, freed, path in sorted(there):
            if left >= size:
                break
            with self._counting:
                if self._held[path.relative_to(self._folder).as_posix()]:
                    continue
                path.unlink(missing_ok=True)
            left += freed
        return left >= size

    def close(self) -> None:
        if self._vault is not None:
            self._vault.close()
            self._vault = None


class Hold:
    """Files on the shelf that nobody takes away; let go when the last one to know it is gone."""

    def __init__(self, shelf: ColdShelf) -> None:
        self._shelf = shelf
        self.paths: list[str] = []

    def bring(self, segments: Sequence[Segment]) -> dict[str, str]:
        """Fetch those that are cold; by id why one could not be."""
        return self._shelf.bring(segments, self)

    def __del__(self) -> None:
        self._shelf.let_go(self.paths)
