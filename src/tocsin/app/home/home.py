"""The data folder: one server at a time, and how a second process finds the first."""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tocsin.app.home.unfinished_restore import refuse_unfinished
from tocsin.store.ports import HomeInUse


class Home:
    """A data folder held by this process until ``release``.

    The lock is the operating system's (``flock``), so it ends with the process however it ends.
    ``run.json`` (mode 0600) tells other commands on this machine where the server listens.
    """

    def __init__(self, folder: Path, *, restoring: bool = False) -> None:
        """Take the folder; raises HomeInUse when another process holds it.

        StoreError when a backup is still to be restored to it, unless ``restoring`` says that.
        """
        if not restoring:
            refuse_unfinished(folder)
        self.folder = folder
        self.facts: Mapping[str, Any] = {}
        """What was announced; empty before the doors are open."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise HomeInUse(_in_use(folder)) from error
        (folder / "run.json").unlink(missing_ok=True)

    def announce(self, facts: Mapping[str, Any]) -> None:
        """Write ``run.json``: process id, addresses and a token for commands on this machine."""
        self.facts = dict(facts)
        path = self.folder / "run.json"
        draft = self.folder / "run.json.new"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"pid": os.getpid(), **facts}, file)
        draft.replace(path)

    def release(self) -> None:
        (self.folder / "run.json").unlink(missing_ok=True)
        os.close(self._lock)


def running_server(folder: Path) -> dict[str, Any] | None:
    """What the server on this data folder announced, or None when none is running."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return _announced(folder)
    else:
        return None
    finally:
        os.close(descriptor)


def _announced(folder: Path) -> dict[str, Any] | None:
    try:
        facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def _in_use(folder: Path) -> str:
    facts = _announced(folder) or {}
    who = f"process {facts['pid']}" if "pid" in facts else "another process"
    where = f" (its console: {facts['url']})" if "url" in facts else ""
    return (
        f"data folder {folder} is in use by {who}{where}; "
        "use that server, stop it, or give another folder with --home"
    )
