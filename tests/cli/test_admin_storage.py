"""Storage, retention and holds from the command line, as at three in the morning."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.kept_events import store_events
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state.sqlite_state import SqliteState

Tocsin = Callable[..., Ran]


@pytest.fixture(autouse=True)
def filled(home: Path) -> None:
    """A data folder with events of half a year."""
    home.mkdir()
    state = SqliteState(home / "state.sqlite")
    events = ParquetEvents(home / "events", state)
    now = datetime.now(UTC)
    for days, count in ((180, 2), (100, 2), (2, 40)):
        store_events(events, state, now - timedelta(days=days), count, sources=("mail", "web"))
    events.close()
    state.close()


def test_from_a_look_to_a_rule_and_a_hold(tocsin: Tocsin) -> None:
    told = tocsin("admin", "storage")
    assert told.code == 0, told.err
    assert "88 events" in told.out
    assert "kept for ever" in told.out
    assert tocsin("admin", "storage", "--json").json["sources"][0]["events"] == 44
    dry = tocsin("admin", "retention", "set", "all", "--days", 90, "--dry-run", "--json")
    assert (dry.json["events"], dry.json["asks"]) == (8, "")
    hold = ("admin", "hold", "place", "Case 4", "--because", "a court asked", "--source", "mail")
    assert tocsin(*hold, "--to", "now-150d", "--json").json["sources"] == ["mail"]
    lee = ("admin", "hold", "place", "Lee", "--because", "asked", "--matching", "user:lee")
    assert "what user:lee finds in all sources, all times" in tocsin(*lee).out
    assert tocsin("admin", "hold", "lift", "lee", "--because", "withdrawn").code == 0
    asked = tocsin("admin", "retention", "set", "all", "--days", 90, "--json")
    assert asked.code == 2
    assert "6 events would go" in asked.err
    done = tocsin("admin", "retention", "set", "all", "--days", 90, "--yes")
    assert done.code == 0, done.err
    assert "in force: *: 90 days" in done.out
    assert "would go: 6 events" in done.out
    listed = tocsin("admin", "retention", "list", "--json").json
    assert [(one["name"], one["changed_by"]) for one in listed["rules"]] == [("all", "cli")]
    assert "a court asked" in tocsin("admin", "hold", "list").out
    assert tocsin("admin", "hold", "lift", "case 4", "--because", "done").code == 0
    lifted = tocsin("admin", "hold", "list", "--json").json
    assert {one["lifted_because"] for one in lifted} == {"done", "withdrawn"}
    assert tocsin("admin", "retention", "remove", "all").code == 0
    assert "0 rules" in tocsin("admin", "retention", "list").out


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (("retention", "set", "a", "--days", "0"), 2, "keep_days"),
        (("retention", "remove", "none"), 2, "no rule of retention named"),
        (("hold", "place", "a", "--because", "b", "--from", "soon"), 2, "is not a time"),
        (("hold", "place", "a", "--because", " "), 2, "say why"),
        (("hold", "lift", "none", "--because", "b"), 2, "no hold 'none'"),
        (("storage", "--home", "/nowhere"), 3, "no data folder here"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tocsin: Tocsin, command: tuple[str, ...], code: int, told: str
) -> None:
    ran = tocsin("admin", *command)
    assert ran.code == code
    assert told in ran.err
