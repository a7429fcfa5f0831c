"""Remembers the ids senders gave their records, so that what is sent again is not stored twice."""

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

KEY_BYTES = 16
_GENERATION = 1 << 17
_FEWEST = 16
_PAIR = np.dtype([("high", "<u8"), ("low", "<u8")])
_log = structlog.get_logger()


def key_of(*parts: bytes) -> bytes:
    """16 bytes that stand for the parts; no two different ones ever meet in practice."""
    made = blake2b(digest_size=KEY_BYTES)
    for part in parts:
        made.update(len(part).to_bytes(4, "little") + part)
    return made.digest()


@dataclass(slots=True)
class Claim:
    """The keys of one request; no other request is judged by them before this one has ended.

    ``fresh`` are those of what is taken in now. They become durable with the records (the claim
    goes to the spool as its ``Note``), and what was killed before ``keep`` learns them from there.
    """

    _seen: "SeenIds"
    claimed: set[bytes] = field(default_factory=set)
    fresh: list[bytes] = field(default_factory=list)

    def known(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those that were seen; waits for requests that bring one of the same. Call it once."""
        return self._seen.take(self, set(keys))

    def keep(self) -> None:
        """Remember ``fresh``: call it once the records are durable, and not if they are not."""
        self._seen.remember(self.fresh)


class SeenIds:
    """Up to ``most`` keys of the last ``hours``, the oldest forgotten first; safe between threads.

    A key costs 16 bytes in memory (the latest 131,072 about 120) and on the disk. Files are
    written behind the records and not flushed one by one: what they lack of the last moments
    before a crash lies beside the records in the spool, to be learned when this is opened.
    """

    def __init__(self, folder: Path, *, most: int, hours: float) -> None:
        self._folder = folder
        self._size = max(_FEWEST, min(_GENERATION, most // 8))
        self._most_sealed = max(1, most // self._size - 1)
        self._kept = timedelta(hours=hours)
        self._changed = threading.Condition()
        self._claimed: set[bytes] = set()
        self._latest: set[bytes] = set()
        self._sealed: list[tuple[Path, NDArray[np.void]]] = []
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = self._load()

    @contextmanager
    def claiming(self) -> Iterator[Claim]:
        """A claim that ends with the block, whatever comes of it."""
        claim = Claim(self)
        try:
            yield claim
        finally:
            with self._changed:
                self._claimed -= claim.claimed
                self._changed.notify_all()

    def take(self, claim: Claim, keys: set[bytes]) -> set[bytes]:
        with self._changed:
            self._changed.wait_for(lambda: self._claimed.isdisjoint(keys))
            claim.claimed = keys
            self._claimed |= keys
            return self._known(keys)

    def learn(self, keys: Sequence[bytes]) -> None:
        """Remember those of the keys that are not known yet."""
        with self._changed:
            known = self._known(set(keys))
            self.remember([key for key in keys if key not in known])

    def remember(self, keys: Sequence[bytes]) -> None:
        if not keys:
            return
        with self._changed:
            self._latest.update(keys)
            try:
                with self._path.open("ab") as file:
                    file.write(b"".join(keys))
            except OSError as error:
                _log.warning("ids_not_written", file=str(self._path), reason=error.strerror)
            if len(self._latest) >= self._size:
                self._seal(self._latest)
                self._latest = set()
                self._path = self._next_path()

    def _known(self, keys: set[bytes]) -> set[bytes]:
        found = keys & self._latest
        asked = list(keys - found)
        if asked and self._sealed:
            self._forget_old()
            pairs = np.frombuffer(b"".join(asked), _PAIR)
            for _, sealed in self._sealed:
                at = np.searchsorted(sealed["high"], pairs["high"])
                at[at == len(sealed)] = 0
                for number in np.flatnonzero(sealed[at] == pairs):
                    found.add(asked[number])
        return found

    def _seal(self, keys: set[bytes]) -> None:
        pairs = np.frombuffer(b"".join(keys), _PAIR)
        self._sealed.append((self._path, np.sort(pairs, order="high")))
        self._forget_old()

    def _forget_old(self) -> None:
        oldest = datetime.now(UTC) - self._kept
        while self._sealed and (
            len(self._sealed) > self._most_sealed or _written_at(self._sealed[0][0]) < oldest
        ):
            path, _ = self._sealed.pop(0)
            path.unlink(missing_ok=True)

    def _load(self) -> Path:
        """Read what was written before; a last file that is not full goes on."""
        last: Path | None = None
        for path in sorted(self._folder.glob("*.ids")):
            content = path.read_bytes()
            torn = len(content) % KEY_BYTES
            if torn:
                os.truncate(path, len(content) - torn)
            ends = range(KEY_BYTES, len(content) + 1, KEY_BYTES)
            keys = {content[end - KEY_BYTES : end] for end in ends}
            if len(keys) < self._size and _written_at(path) >= datetime.now(UTC) - self._kept:
                self._latest |= keys
                last = path
            else:
                self._path = path
                self._seal(keys)
                last = None
        return last or self._next_path()

    def _next_path(self) -> Path:
        last = max((int(path.stem) for path in self._folder.glob("*.ids")), default=0)
        return self._folder / f"{last + 1:012d}.ids"


def _written_at(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return datetime.now(UTC)
