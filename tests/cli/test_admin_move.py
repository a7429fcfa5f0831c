"""`tocsin admin move` says what it moved, and refuses what it can't."""

from collections.abc import Callable
from pathlib import Path

from tests.postgres_server import PostgresServer
from tocsin.app.home.home import Home
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import open_tocsin


def test_state_is_moved_and_told_table_by_table(
    tocsin: Callable, home: Path, postgres: PostgresServer
) -> None:
    open_tocsin(load_settings(home=home, syslog__enabled=False)).close()
    told = tocsin("admin", "move", "--state", postgres.new_state(), "--json")
    assert told.code == 0, told.err
    assert {"alerts", "segments", "audit_entries"} <= told.json["state"].keys()
    again = tocsin("admin", "audit", "verify", "--json")
    assert again.code == 0, again.err
    back = tocsin("admin", "move", "--state", "folder")
    assert back.code == 0, back.err
    assert (home / "state.sqlite").is_file()


def test_what_can_not_be_moved_is_refused_with_the_reason(tocsin: Callable, home: Path) -> None:
    assert "no data folder here" in tocsin("admin", "move", "--state", "folder").err
    open_tocsin(load_settings(home=home, syslog__enabled=False)).close()
    assert "say what to move" in tocsin("admin", "move").err
    wrong = tocsin("admin", "move", "--state", "mysql://x")
    assert wrong.code == 3
    assert "postgresql://user@host" in wrong.err
    held = Home(home)
    assert "is in use" in tocsin("admin", "move", "--events", "clickhouse://nowhere/x").err
    held.release()
