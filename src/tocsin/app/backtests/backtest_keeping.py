"""Keeps how far a backtest is in a file, so that another process can go on from there."""

import os
from pathlib import Path

import orjson

from tocsin.app.backtests.backtest import Backtest
from tocsin.detect.errors import DetectError


def take_up(work: Backtest, file: Path) -> bool:
    """Go on from what the file holds; False when there is none. Raises DetectError, told why."""
    if not file.exists():
        return False
    try:
        work.resume(orjson.loads(file.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, DetectError) as error:
        raise DetectError(f"{file} can't be gone on from: {error}") from error
    return True


def keep(work: Backtest, file: Path) -> None:
    """Write how far it is, whole or not at all. Raises DetectError when it can't be written."""
    draft = file.with_name(f"{file.name}.{os.getpid()}.new")
    try:
        draft.write_bytes(orjson.dumps(work.state()))
        draft.replace(file)
    except OSError as error:
        raise DetectError(f"{file} can't be written: {error.strerror}") from error
