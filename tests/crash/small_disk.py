"""A file system of a few megabytes that can be filled to its last byte, and freed."""

import contextlib
import errno
import os
import subprocess
import tempfile
import time
from pathlib import Path

_PATIENCE_S = 60.0
_PIECE = b"\0" * (1 << 20)


class CanNotMount(Exception):
    """This user may not mount a file system."""


class SmallDisk:
    """A tmpfs at ``folder``; a context manager that mounts and unmounts it."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self.folder = Path()

    def __enter__(self) -> "SmallDisk":
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-disk-"))
        options = f"size={self._size_bytes},mode=0700"
        done = subprocess.run(  # noqa: S603
            ["mount", "-t", "tmpfs", "-o", options, "tocsin-disk", str(self.folder)],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            self.folder.rmdir()
            raise CanNotMount(done.stderr.strip())
        return self

    def __exit__(self, *reason: object) -> None:
        # A server that was killed leaves processes of its own that end a moment later.
        until = time.monotonic() + _PATIENCE_S
        while True:
            done = subprocess.run(  # noqa: S603
                ["umount", str(self.folder)],  # noqa: S607
                capture_output=True,
                text=True,
                check=False,
            )
            if not done.returncode:
                break
            assert time.monotonic() < until, done.stderr
            time.sleep(0.1)
        self.folder.rmdir()

    def fill(self) -> None:
        """Leave not a byte, as far as nobody frees some in the meantime."""
        descriptor = os.open(self._filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            for size in (len(_PIECE), 4096, 1):
                with contextlib.suppress(_Full):
                    while True:
                        _write(descriptor, size)
        finally:
            os.close(descriptor)

    def free(self) -> None:
        self._filler.unlink()

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"


class _Full(Exception):
    """No room for what was to be written."""


def _write(descriptor: int, size: int) -> None:
    try:
        os.write(descriptor, _PIECE[:size])
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _Full from error
        raise
