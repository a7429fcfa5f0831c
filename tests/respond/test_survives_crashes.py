"""Killed at any point, a containment goes on: no step lost, no write made twice, always undone."""

import multiprocessing
import signal
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.respond import crashing
from tests.respond.crashing import ADDRESS
from tests.respond.rig import PATIENCE_S, until

POINTS = ["plan:before", "apply:before", "apply:after", "verify:after", "undo:before", "undo:after"]
SHORT_S, LONG_S = 3, 3600


# A server that has imported everything once forks each process: seconds become milliseconds.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.respond.crashing"])


def start(folder: Path, point: str, lease_s: int) -> ForkServerProcess:
    process = FORKS.Process(target=crashing.main, args=(folder, point, lease_s))
    process.start()
    return process


def wait(process: ForkServerProcess) -> int | None:
    process.join(PATIENCE_S * 2)
    return process.exitcode


def rows(folder: Path, statement: str) -> list[tuple[object, ...]]:
    """Look into the state store from outside; nothing when it is not there yet."""
    if not (folder / "state.sqlite").exists():
        return []
    engine = create_engine(f"sqlite:///{folder / 'state.sqlite'}")
    try:
        with engine.connect() as tx:
            return [tuple(row) for row in tx.execute(text(statement))]
    finally:
        engine.dispose()


def finish(folder: Path) -> None:
    assert wait(start(folder, "-", SHORT_S)) == 0


def until_the_lease_is_over(folder: Path) -> None:
    over = "SELECT id FROM leases WHERE expires_at < strftime('%Y-%m-%d %H:%M:%f', 'now')"
    until(lambda: rows(folder, over), "the end of the lease")


def assert_contained_once_and_undone(folder: Path) -> None:
    assert rows(folder, "SELECT status, error FROM playbook_runs") == [("succeeded", "")]
    steps = rows(folder, "SELECT status FROM run_steps")
    assert steps == [("done",)] * 6
    assert rows(folder, "SELECT network FROM blocklist_entries") == [(f"{ADDRESS}/32",)]
    assert rows(folder, "SELECT status, error FROM leases") == [("undone", "")]
    assert rows(folder, "SELECT status FROM approvals") == [("approved",)]
    still = "SELECT count(*) FROM blocklist_entries WHERE removed_at IS NULL"
    assert rows(folder, still) == [(0,)]


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_inside_a_call_of_the_action(tmp_path: Path, point: str) -> None:
    (tmp_path / "may-approve").touch()
    (tmp_path / "may-undo").touch()
    assert wait(start(tmp_path, point, LONG_S)) == -signal.SIGKILL
    assert (tmp_path / "died").read_text() == point
    finish(tmp_path)
    assert_contained_once_and_undone(tmp_path)


def test_a_kill_after_the_verdict_and_it_is_over_when_we_are_back(tmp_path: Path) -> None:
    (tmp_path / "may-approve").touch()
    assert wait(start(tmp_path, "verify:told", SHORT_S)) == -signal.SIGKILL
    until_the_lease_is_over(tmp_path)
    finish(tmp_path)
    assert_contained_once_and_undone(tmp_path)


def test_a_kill_while_an_approval_waits(tmp_path: Path) -> None:
    process = start(tmp_path, "-", SHORT_S)
    pending = "SELECT id FROM approvals WHERE status = 'pending'"
    asked = until(lambda: (tmp_path / "asked").exists() and rows(tmp_path, pending), "a question")
    process.kill()
    assert wait(process) == -signal.SIGKILL
    (tmp_path / "may-approve").touch()
    finish(tmp_path)
    assert_contained_once_and_undone(tmp_path)
    assert rows(tmp_path, "SELECT id FROM approvals") == asked


def test_a_kill_while_a_lease_holds_and_it_is_over_when_we_are_back(tmp_path: Path) -> None:
    (tmp_path / "may-approve").touch()
    process = start(tmp_path, "-", SHORT_S)
    held = "SELECT id FROM leases WHERE verified_at IS NOT NULL"
    until(lambda: (tmp_path / "asked").exists() and rows(tmp_path, held), "a verified lease")
    process.kill()
    assert wait(process) == -signal.SIGKILL
    until_the_lease_is_over(tmp_path)
    finish(tmp_path)
    assert_contained_once_and_undone(tmp_path)
    assert rows(tmp_path, "SELECT undone_by FROM leases") == [("expiry",)]
