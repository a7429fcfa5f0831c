"""Records of one system call that come apart are still told together, each stored once."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.app.flow import reading_ahead
from tocsin.app.home import own_mappings
from tocsin.app.settings.config import Settings, load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.connectors.catalog import mapping_paths
from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.records.audit_groups import first_unfinished
from tocsin.model.record import RawBatch
from tocsin.store.query import EventQuery

AT = "1782807242.843:30826"
CALL = (
    "type=SYSCALL msg=audit({at}): arch=c000003e syscall=59 success=yes exit=0 ppid=10 pid=11 "
    'auid=1000 uid=0 euid=0 ses=4 comm="nc" exe="/usr/bin/nc" key="net"'
)
ARGUMENTS = 'type=EXECVE msg=audit({at}): argc=2 a0="nc" a1="198.51.100.7"'
END = "type=EOE msg=audit({at}):"


@pytest.fixture(autouse=True)
def only_auditd(monkeypatch: pytest.MonkeyPatch) -> None:
    every = mapping_paths()
    wanted = [path for path in every if path.parent.name in ("auditd", "linux")]
    monkeypatch.setattr(own_mappings, "mapping_paths", lambda: wanted)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home", syslog__enabled=False, detect__shipped_pack=False)


@pytest.fixture
def house(settings: Settings) -> Iterator[Tocsin]:
    opened = open_tocsin(settings)
    yield opened
    opened.close()


def raw(*templates: str, source: str = "host-1", at: str = AT) -> RawBatch:
    text = "\n".join(template.replace("{at}", at) for template in templates)
    (batch,) = split_lines(text.encode(), source, datetime.now(UTC))
    return batch


def stored(house: Tocsin) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for event in house.events.search(EventQuery("", size=50)).events:
        found.setdefault(event.lane, []).append(event.ocsf)
    return found


def test_what_is_whole_waits_for_nothing() -> None:
    assert first_unfinished([raw(CALL, ARGUMENTS, END)]) is None
    assert first_unfinished([raw(CALL), raw(ARGUMENTS), raw(END)]) is None
    assert first_unfinished([raw("type=USER_LOGIN msg=audit({at}): pid=1 res=success")]) is None
    numbered = "audit: type=1300 audit({at}): arch=c000003e"
    assert first_unfinished([raw(numbered, "audit: type=1327 audit({at}): proctitle=6E63")]) is None


def test_the_first_with_a_beginning_only_is_named() -> None:
    other = raw("a line")
    assert first_unfinished([other, raw(CALL), other, raw(CALL, END, at="1.5:7")]) == 1
    assert first_unfinished([raw(CALL), raw(END, source="host-2")]) == 0
    assert first_unfinished([raw("audit: type=1300 audit({at}): arch=c000003e")]) == 0


def test_a_beginning_waits_for_its_end(house: Tocsin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_ahead, "WAIT_S", 3600.0)
    house.flow._ahead.waits = True
    house.spool.append([raw("before")])
    house.spool.append([raw(CALL)])
    house.flow.drain()
    assert "auditd.syscall" not in stored(house)
    assert house.events.count() == 1
    house.spool.append([raw(ARGUMENTS, END)])
    house.flow.drain()
    found = stored(house)
    assert found["auditd.syscall"][0]["process.cmd_line"] == "nc 198.51.100.7"
    assert found["auditd.execve"][0]["actor.user.uid"] == "1000"
    assert house.events.count() == 4
    assert house.spool.backlog_bytes() == 0


def test_what_waits_is_there_after_a_restart(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_ahead, "WAIT_S", 3600.0)
    first = open_tocsin(settings)
    first.flow._ahead.waits = True
    first.spool.append([raw(CALL)])
    assert first.flow.turn() == 0
    first.close()
    again = open_tocsin(settings)
    again.flow._ahead.waits = True
    try:
        assert again.flow.turn() == 0
        again.spool.append([raw(ARGUMENTS, END)])
        again.flow.drain()
        assert stored(again)["auditd.syscall"][0]["process.cmd_line"] == "nc 198.51.100.7"
        assert again.events.count() == 3
    finally:
        again.close()


def test_an_end_that_never_comes_is_not_waited_for(
    house: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.flow._ahead.waits = True
    monkeypatch.setattr(reading_ahead, "WAIT_S", 0.0)
    house.spool.append([raw(CALL)])
    house.flow.drain()
    assert house.events.count() == 1


def test_a_clock_that_was_set_back_makes_nobody_wait(house: Tocsin) -> None:
    house.flow._ahead.waits = True
    house.spool.append([replace(raw(CALL), received_at=datetime.now(UTC) + timedelta(hours=1))])
    house.flow.drain()
    assert house.events.count() == 1
    house.flow._ahead._started = datetime.now(UTC) + timedelta(hours=1)
    house.spool.append([raw(CALL)])
    house.flow.drain()
    assert house.events.count() == 2


def test_much_behind_it_ends_the_wait(house: Tocsin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_ahead, "WAIT_S", 3600.0)
    monkeypatch.setattr(reading_ahead, "MOST_WAITING_BYTES", 1000)
    house.flow._ahead.waits = True
    house.spool.append([raw(CALL)])
    house.spool.append([raw("x" * 1001)])
    house.flow.drain()
    assert house.events.count() == 2


def test_a_running_flow_lets_go_in_time(house: Tocsin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_ahead, "WAIT_S", 0.05)
    house.spool.append([raw(CALL)])
    stop, taken = threading.Event(), threading.Event()
    commit = house.spool.commit

    def committed(*given: object) -> None:
        commit(*given)  # type: ignore[arg-type]
        taken.set()

    monkeypatch.setattr(house.spool, "commit", committed)
    running = threading.Thread(target=house.flow.run, args=(stop, 60.0))
    house.flow.wake()
    running.start()
    try:
        assert taken.wait(30)
    finally:
        stop.set()
        house.flow.wake()
        running.join()


def test_what_was_stored_before_a_restart_is_told_to_what_comes_after(settings: Settings) -> None:
    first = open_tocsin(settings)
    first.spool.append([raw(CALL), raw("x", source="other")])
    first.flow.drain()
    first.close()
    again = open_tocsin(settings)
    try:
        again.spool.append([raw(ARGUMENTS, END)])
        again.flow.drain()
        execve = stored(again)["auditd.execve"][0]
        assert execve["actor.user.uid"] == "1000"
        assert execve["actor.process.file.path"] == "/usr/bin/nc"
    finally:
        again.close()


def test_other_senders_are_never_held_up_for_long(house: Tocsin) -> None:
    house.flow._ahead.waits = True
    old = datetime.now(UTC) - timedelta(seconds=2)
    house.flow._ahead._started = old
    call = raw(CALL)
    house.spool.append([RawBatch(call.source, call.payload, old), raw("x", source="other")])
    house.flow.drain()
    assert house.events.count() == 2
