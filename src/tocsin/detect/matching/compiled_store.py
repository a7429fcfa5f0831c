"""What was compiled once, kept on disk by its content: for the next start."""

import os
import tempfile
from hashlib import blake2b
from pathlib import Path

import structlog

MOST_BYTES = 256 * 1024 * 1024
_CHECK_BYTES = 16

_log = structlog.get_logger()


class CompiledStore:
    """Entries by key in a folder of files, at most ``most_bytes``; the longest unused make room.

    Damaged and unreadable entries count as missing; a folder that can't be written costs speed
    only. Several processes may share the folder. Entries are for this user's own programs: the
    folder must not be writable by others.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def get(self, key: str) -> bytes | None:
        """The entry, or None when there is none that is whole."""
        path = self._folder / key
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        check, entry = content[:_CHECK_BYTES], content[_CHECK_BYTES:]
        if check != _checksum(entry):
            _log.warning("damaged cache entry ignored", path=str(path))
            return None
        return entry

    def put(self, key: str, entry: bytes) -> None:
        """Keep the entry, whole or not at all."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_checksum(entry) + entry)
                os.replace(name, self._folder / key)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            self._make_room()
        except OSError as error:
            _log.info("compiled rules are not kept", folder=str(self._folder), reason=str(error))

    def _make_room(self) -> None:
        found = []
        for entry in os.scandir(self._folder):
            status = entry.stat()
            found.append((status.st_mtime_ns, status.st_size, entry.path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._most_bytes:
                return
            Path(path).unlink(missing_ok=True)
            total -= size


def _checksum(entry: bytes) -> bytes:
    return blake2b(entry, digest_size=_CHECK_BYTES).digest()
