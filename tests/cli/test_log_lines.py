"""A log that can't be written stops nobody, and says so afterwards."""

import io
from pathlib import Path

import pytest
import structlog

from tocsin.cli.log_lines import StderrLines

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_under_the_log_is_counted_and_told_once_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logger = structlog.wrap_logger(StderrLines())
    with monkeypatch.context() as full:
        with io.FileIO(FULL, "w") as device:
            full.setattr("sys.stderr", io.TextIOWrapper(device, write_through=True))
            logger.warning("disk_full")
            logger.error("disk_full_still")
        logger.warning("closed")
    after = io.StringIO()
    monkeypatch.setattr("sys.stderr", after)
    logger.warning("room_again")
    logger.warning("and_on")
    lines = after.getvalue().splitlines()
    assert lines[0] == "3 log lines could not be written before this"
    assert ["room_again" in lines[1], "and_on" in lines[2], len(lines)] == [True, True, 3]
