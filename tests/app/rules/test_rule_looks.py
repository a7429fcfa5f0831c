"""Each rule says from when to when it has looked; what it missed is shown and can be filled."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.app.backtests.rule_fill import RuleFill
from tocsin.app.rules.look_ledger import NO_LANE
from tocsin.app.rules.rule_choice import NoSuchRule
from tocsin.app.rules.rule_looks import RuleLooks, Span, rule_looks
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.ingest.cutting.lines import split_lines
from tocsin.store.query import EventQuery

RULE = "aaaaaaaa-0000-4000-8000-00000000000a"
COUNT = "bbbbbbbb-0000-4000-8000-00000000000b"
TEXT = """
title: Whoami is run
id: aaaaaaaa-0000-4000-8000-00000000000a
name: whoami
logsource: {product: windows, category: process_creation}
detection:
  selection: {Image|endswith: '\\WORD.exe'}
  condition: selection
level: medium
"""
COUNTING = """
title: Whoami is run again and again
id: bbbbbbbb-0000-4000-8000-00000000000b
correlation:
  type: event_count
  rules: [whoami]
  generate: true
  group-by: [Computer]
  timespan: 10m
  condition: {gte: 3}
level: high
"""
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)


class Desk:
    """A house whose rules are files of its own; minutes are counted from ``START``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "rules").mkdir(parents=True)
        self.minute = 0
        self.house = self.opened()

    def opened(self) -> Tocsin:
        settings = load_settings(home=self.home, syslog__enabled=False, detect__shipped_pack=False)
        return open_tocsin(settings)

    def reopen(self) -> None:
        self.house.close()
        self.house = self.opened()

    def rule(self, text: str, name: str = "one") -> None:
        (self.home / "rules" / f"{name}.yml").write_text(text)
        self.reload()

    def drop(self, name: str = "one") -> None:
        (self.home / "rules" / f"{name}.yml").unlink()
        self.reload()

    def reload(self) -> None:
        self.house.rule_keeper.reload("me", datetime.now(UTC))

    def events(self, count: int, image: str = "whoami") -> None:
        """So many process creations, a minute each, received now."""
        lines = []
        for _ in range(count):
            self.minute += 1
            record = {
                "EventID": 1,
                "Channel": "Microsoft-Windows-Sysmon/Operational",
                "Provider_Name": "Microsoft-Windows-Sysmon",
                "Computer": "ws-07",
                "TimeCreated": (START + timedelta(minutes=self.minute)).isoformat(),
                "Image": f"C:\\Windows\\System32\\{image}.exe",
                "CommandLine": image,
                "ProcessId": self.minute,
            }
            lines.append(json.dumps(record).encode())
        now = datetime.now(UTC)
        self.house.spool.append(split_lines(b"\n".join(lines), source="ws", received_at=now))
        self.house.flow.drain()

    def looks(self, rule_id: str = RULE) -> RuleLooks:
        house = self.house
        sources = tuple(one.rule.logsource for one in house.ruleset.rules)
        with house.state.read() as tx:
            return rule_looks(tx, rule_id, sources, house.normalizer.lanes)

    def found(self, rule_id: str = RULE) -> int:
        query = EventQuery(f"finding_info.analytic.uid:{rule_id}", size=1000)
        return self.house.events.search(query).total

    def fill(self, span: Span, rule_id: str = RULE):
        until = span.until or datetime.now(UTC)
        return RuleFill(self.house, rule_id, span.since, until).run("me", datetime.now(UTC))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "home")
    yield made
    made.house.close()


def rule_text(word: str = "whoami") -> str:
    return TEXT.replace("WORD", word)


def test_what_was_looked_at_adds_up(desk):
    desk.rule(rule_text())
    desk.events(3)
    desk.events(2)
    looks = desk.looks()
    assert looks.in_force
    assert (looks.events, looks.late, looks.skipped) == (5, 0, 0)
    (lane,) = looks.lanes
    assert lane.first_time == START + timedelta(minutes=1)
    assert lane.last_time == START + timedelta(minutes=5)
    assert looks.since <= lane.since <= lane.until
    assert looks.gaps == ()
    assert looks.before is None


def test_a_rule_that_comes_later_knows_since_when_it_looks_and_can_look_back(desk):
    desk.events(4)
    desk.rule(rule_text())
    desk.events(1)
    looks = desk.looks()
    assert looks.events == 1
    assert looks.before is not None
    assert looks.before.until <= looks.since
    assert desk.found() == 1
    fill = desk.fill(looks.before)
    assert (fill.events, fill.findings) == (4, 4)
    assert desk.found() == 5
    assert desk.looks().before is None
    late = desk.house.events.search(EventQuery("native.late:true")).events
    assert len(late) == 4


def test_a_gap_is_shown_while_it_lasts_and_filled_once(desk):
    desk.rule(rule_text())
    desk.events(1)
    desk.drop()
    desk.events(3)
    lasting = desk.looks()
    assert not lasting.in_force
    assert [span.until for span in lasting.gaps] == [None]
    desk.rule(rule_text())
    desk.events(1)
    (gap,) = desk.looks().gaps
    assert gap.until is not None
    assert desk.found() == 2
    with desk.house.state.read() as tx:
        before = desk.house.alerts.page(tx).items[0]
    assert desk.fill(gap).findings == 3
    assert desk.looks().gaps == ()
    assert [(one.events, one.findings, one.by) for one in desk.looks().fills] == [(3, 3, "me")]
    with desk.house.state.read() as tx:
        (alert,) = desk.house.alerts.page(tx).items
    assert alert.id == before.id
    assert alert.count == before.count + 3
    assert desk.fill(gap).findings == 0
    assert desk.found() == 5


def test_what_was_received_before_the_rule_came_and_looked_at_after_counts(desk):
    """Records may wait before they are taken in, as those of files do."""
    early = datetime.now(UTC)
    desk.rule(rule_text())
    record = {
        "EventID": 1,
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Computer": "ws-07",
        "TimeCreated": START.isoformat(),
        "Image": "C:\\Windows\\System32\\whoami.exe",
    }
    line = json.dumps(record).encode()
    desk.house.spool.append(split_lines(line, source="ws", received_at=early))
    desk.house.flow.drain()
    looks = desk.looks()
    assert looks.events == 1
    assert looks.before is None
    assert looks.gaps == ()


def test_a_gap_in_which_nothing_came_is_none(desk):
    desk.rule(rule_text())
    desk.events(1)
    desk.drop()
    desk.rule(rule_text())
    assert desk.looks().gaps == ()


def test_a_changed_rule_looks_since_the_change_and_has_no_gap(desk):
    desk.rule(rule_text())
    desk.events(1)
    first = desk.looks().since
    desk.rule(rule_text("hostname"))
    desk.events(1, "hostname")
    looks = desk.looks()
    assert looks.since > first
    assert looks.watched == (Span(first, None),)
    assert looks.gaps == ()
    desk.rule(rule_text("hostname").replace("Whoami", "Hostname"))
    assert desk.looks().since == looks.since, "a new title changes nothing of what it looks for"


def test_time_without_the_platform_is_told_and_is_no_gap(desk):
    desk.rule(rule_text())
    desk.events(1)
    desk.house.upkeep.note_being_up()
    desk.reopen()
    desk.events(1)
    looks = desk.looks()
    assert looks.gaps == ()
    assert len(looks.down) == 1
    assert looks.down[0].since < looks.down[0].until
    assert looks.events == 2


def test_a_command_that_only_reads_does_not_end_a_time_without_the_platform(desk):
    desk.rule(rule_text())
    desk.events(1)
    desk.reopen()
    assert desk.looks().down == (), "nothing has run again so far"
    read_at = datetime.now(UTC)
    desk.reopen()
    desk.events(1)
    (down,) = desk.looks().down
    assert down.since < read_at < down.until


def test_a_rule_that_went_while_the_platform_was_down_has_a_gap(desk):
    desk.rule(rule_text())
    desk.events(1)
    (desk.home / "rules" / "one.yml").unlink()
    desk.reopen()
    desk.events(2)
    assert len(desk.looks().gaps) == 1
    desk.rule(rule_text())
    (gap,) = desk.looks().gaps
    assert desk.fill(gap).findings == 2


def test_records_set_aside_are_counted_as_skipped(desk, monkeypatch):
    desk.rule(rule_text())

    def fails(*_):
        raise ValueError("a record no one thought of")

    with monkeypatch.context() as patched:
        patched.setattr(desk.house.normalizer, "normalize_all", fails)
        desk.events(3)
    desk.events(1)
    looks = desk.looks()
    assert (looks.events, looks.skipped) == (1, 3)
    assert {one.lane for one in looks.lanes} == {NO_LANE, "windows.process_creation"}


def test_late_events_are_counted(desk):
    desk.rule(rule_text())
    desk.minute = 100
    desk.events(1)
    desk.minute = 0
    desk.events(2)
    assert (desk.looks().events, desk.looks().late) == (3, 2)


def test_a_count_over_several_events_is_filled_too(desk):
    desk.rule(rule_text())
    desk.events(5)
    desk.rule(rule_text() + "---" + COUNTING)
    before = desk.looks(COUNT).before
    assert before is not None
    fill = desk.fill(before, COUNT)
    assert fill.findings >= 1
    assert desk.found(COUNT) == fill.findings
    assert desk.found() == 5, "what the rule counts is not told again"
    assert desk.fill(before, COUNT).findings == 0


def test_a_rule_that_is_not_in_force_cannot_be_filled(desk):
    with pytest.raises(NoSuchRule):
        desk.fill(Span(START, None))


def test_a_turn_that_fails_counts_nothing(desk, monkeypatch):
    desk.rule(rule_text())
    with monkeypatch.context() as patched:
        patched.setattr(desk.house.spool, "commit", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            desk.events(2)
    desk.house.flow.drain()
    assert desk.looks().events == 2
