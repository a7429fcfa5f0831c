"""The folder durable runs live in: the executor id and the lock on it."""

import fcntl
import os
from pathlib import Path

from tocsin.model.identifier import new_id
from tocsin.store.ports import HomeInUse


def executor_id(folder: Path) -> str:
    """The name this folder's runs are recovered under; made once, the same ever after."""
    path = folder / "executor-id"
    if not path.is_file():
        temporary = folder / "executor-id.new"
        temporary.write_text(new_id("executor"), encoding="ascii")
        temporary.replace(path)
    return path.read_text(encoding="ascii").strip()


def hold_folder(folder: Path) -> int:
    """Take the folder for this process; two processes with one executor id run steps twice."""
    descriptor = os.open(folder / "runs.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise HomeInUse(
            f"{folder} is used by another process; stop it or choose another data folder"
        ) from error
    return descriptor


def release_folder(descriptor: int) -> None:
    os.close(descriptor)
