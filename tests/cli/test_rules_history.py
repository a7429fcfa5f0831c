"""``tocsin rules looks``, ``fill`` and ``backtest`` over stored events, as users run them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.app.rules.test_rule_looks import RULE, rule_text
from tests.cli.conftest import Ran

Tocsin = Callable[..., Ran]
EVENTS = 4


@pytest.fixture(autouse=True)
def _stored(home: Path, tmp_path: Path, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four events, stored before the rule came."""
    monkeypatch.setenv("TOCSIN_DETECT__SHIPPED_PACK", "false")
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    records = [
        {
            "EventID": 1,
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "Provider_Name": "Microsoft-Windows-Sysmon",
            "Computer": "ws-07",
            "TimeCreated": (start + timedelta(minutes=number)).isoformat(),
            "Image": "C:\\Windows\\System32\\whoami.exe",
            "CommandLine": "whoami",
        }
        for number in range(EVENTS)
    ]
    file = tmp_path / "events.json"
    file.write_text("\n".join(map(json.dumps, records)))
    assert tocsin("ingest", file).code == 0
    (home / "rules").mkdir()
    (home / "rules" / "one.yml").write_text(rule_text())


def test_what_was_stored_before_a_rule_came_is_told_and_filled_once(tocsin: Tocsin) -> None:
    told = tocsin("rules", "looks", "whoami is run", "--json").json
    assert (told["looks"]["in_force"], told["looks"]["events"]) == (True, 0)
    before = told["looks"]["before"]
    shown = tocsin("rules", "looks", RULE)
    assert "stored before it came" in shown.out
    none = tocsin("rules", "fill", RULE)
    assert "the rule has no gap" in none.out
    span = ("--from", before["since"], "--to", before["until"])
    (fill,) = tocsin("rules", "fill", RULE, *span, "--json").json["fills"]
    assert (fill["events"], fill["findings"]) == (EVENTS, EVENTS)
    (again,) = tocsin("rules", "fill", RULE, *span, "--json").json["fills"]
    assert again["findings"] == 0
    after = tocsin("rules", "looks", RULE).out
    assert "stored before it came" not in after
    assert f"by command line: {EVENTS:,} events, {EVENTS:,} new findings" in after


def test_a_backtest_tells_what_a_rule_would_have_found_and_goes_on(
    tocsin: Tocsin, tmp_path: Path
) -> None:
    ran = tocsin("rules", "backtest", RULE, "--days", "1", "--json")
    assert ran.code == 1, "1: there are findings"
    assert (ran.json["events"], ran.json["findings"]) == (EVENTS, EVENTS)
    kept, draft = tmp_path / "kept.json", tmp_path / "draft.yml"
    draft.write_text(rule_text("hostname"))
    quiet = tocsin("rules", "backtest", draft, "--days", "1", "--json")
    assert (quiet.code, quiet.json["findings"]) == (0, 0)
    end = datetime.now(UTC).isoformat()
    start = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    given = ("rules", "backtest", RULE, "--from", start, "--to", end, "--resume", kept, "--json")
    first = tocsin(*given)
    assert kept.exists()
    assert tocsin(*given).json["findings"] == first.json["findings"] == EVENTS
    kept.write_text("{}")
    other = tocsin(*given)
    assert other.code == 3
    assert "can't be gone on from" in other.err


@pytest.mark.parametrize("command", ["looks", "fill", "backtest"])
def test_a_rule_that_is_not_there_is_told(tocsin: Tocsin, command: str) -> None:
    ran = tocsin("rules", command, "nothing of that name")
    assert ran.code == 3
    assert "nothing of that name" in ran.err


def test_a_time_that_is_none_is_told(tocsin: Tocsin) -> None:
    for command in ("fill", "backtest"):
        ran = tocsin("rules", command, RULE, "--from", "some day")
        assert ran.code == 3
        assert "some day" in ran.err


def test_an_update_of_a_pack_shows_its_effect_on_stored_events(
    tocsin: Tocsin, home: Path, tmp_path: Path
) -> None:
    (home / "rules" / "one.yml").unlink()
    counted = (
        "title: Many\nid: 9f0b7f3e-0000-4000-8000-000000000001\nlevel: high\ncorrelation:\n"
        f"  type: event_count\n  rules: [{RULE}]\n  group-by: [Computer]\n  timespan: 1h\n"
        "  condition: {gte: 2}\n  generate: true\n"
    )
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "one.yml").write_text(rule_text("hostname"))
    (pack / "many.yml").write_text(counted)
    assert tocsin("rules", "add-pack", pack, "--name", "ours").code == 0
    (pack / "one.yml").write_text(rule_text("whoami"))
    asked = ("rules", "update-pack", "ours", "--replay", "1")
    told = tocsin(*asked, "--dry-run", "--json")
    assert told.code == 0, told.err
    replayed = told.json["replayed"]
    assert (replayed["is_complete"], replayed["before"], replayed["after"]) == (True, 0, EVENTS + 1)
    found = {one["title"]: (one["before"], one["after"]) for one in replayed["rules"]}
    assert found == {"Whoami is run": (0, EVENTS), "Many": (0, 1)}
    said = ("--owner", "ann", "--reason", "jump hosts")
    assert tocsin("rules", "except", RULE, "Computer=ws-07", *said).code == 0
    shown = tocsin(*asked, "--yes")
    assert "0 findings before, 0 after the update" in shown.out, "exceptions hold"
    assert "is updated" in shown.out


def test_explaining_a_given_event_tells_which_exception_hides_it(
    tocsin: Tocsin, tmp_path: Path
) -> None:
    def hidden_by() -> str:
        found = tocsin("rules", "explain", RULE, tmp_path / "events.json", "--json").json
        assert found["matches"]
        return str(found["hidden_by"])

    assert hidden_by() == ""
    said = ("--owner", "ann", "--reason", "jump hosts")
    made = tocsin("rules", "except", RULE, "Computer=ws-07", *said)
    assert made.code == 0, made.err
    assert "of ann hides it: jump hosts" in hidden_by()
    tocsin("rules", "state", RULE, "retired", "--reason", "no more")
    assert "is retired" in hidden_by()
