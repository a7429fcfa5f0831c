"""The book of sources: counts add up, times are believable, what is unreadable is kept."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from tocsin.ingest.errors import IngestError
from tocsin.ingest.sources.clock_skew import Clock
from tocsin.ingest.sources.ledger import SourceBook, excerpt
from tocsin.ingest.sources.quarantine import Aside
from tocsin.ingest.sources.source_turn import SourceTurn
from tocsin.ingest.sources.tables import source_slots, sources
from tocsin.model.record import Unreadable
from tocsin.model.source import SourceLedger
from tocsin.store.state import metadata

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BOOK = SourceBook()


class Blobs:
    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def put(self, content: bytes) -> str:
        digest = sha256(content).hexdigest()
        self.kept[digest] = content
        return digest

    def get(self, digest: str) -> bytes | None:
        return self.kept.get(digest)


@pytest.fixture
def tx() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def add(tx: sa.Connection, source: str = "web", **more: Any) -> None:
    values: dict[str, Any] = {
        "received": 1,
        "stored": 1,
        "quarantined": 0,
        "unrecognized": 0,
        "received_bytes": 10,
        "first_time": NOW,
        "last_time": NOW,
        "lanes": ("nginx.access",),
        "now": NOW,
    }
    told = values | more
    now = told.pop("now")
    BOOK.add(tx, [SourceTurn(source=source, **told)], now)


def ledger(tx: sa.Connection, source: str = "web") -> SourceLedger:
    (found,) = [one for one in BOOK.sources(tx, NOW) if one.name == source]
    return found


def test_counts_add_up_over_turns(tx: sa.Connection) -> None:
    add(tx, received=10, stored=8, quarantined=2, unrecognized=3, received_bytes=100)
    later = NOW + timedelta(minutes=5)
    add(tx, received=5, stored=5, lanes=("nginx.error", "nginx.access"), now=later)
    found = ledger(tx)
    assert (found.received, found.stored, found.quarantined) == (15, 13, 2)
    assert (found.unrecognized, found.received_bytes) == (3, 110)
    assert found.lanes == ("nginx.access", "nginx.error")
    assert found.last_received == later


def test_sources_of_other_tenants_are_apart(tx: sa.Connection) -> None:
    add(tx, tenant="north")
    add(tx, tenant="south")
    assert [(one.name, one.tenant) for one in BOOK.sources(tx, NOW)] == [
        ("web", "north"),
        ("web", "south"),
    ]


def test_first_and_last_seen_are_event_times_in_any_order(tx: sa.Connection) -> None:
    hour = timedelta(hours=1)
    add(tx, first_time=NOW - hour, last_time=NOW - hour)
    add(tx, first_time=NOW - 3 * hour, last_time=NOW - 2 * hour)
    assert ledger(tx).first_seen == NOW - 3 * hour
    assert ledger(tx).last_seen == NOW - hour


@pytest.mark.parametrize("year", [1601, 1970, 9999])
def test_times_nobody_can_believe_do_not_move_the_ledger(tx: sa.Connection, year: int) -> None:
    add(tx)
    odd = datetime(year, 1, 1, tzinfo=UTC)
    add(tx, first_time=odd, last_time=odd)
    micros = int((odd - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000
    add(tx, first_time=odd, last_time=odd, times_us=np.array([micros]))
    assert (ledger(tx).first_seen, ledger(tx).last_seen) == (NOW, NOW)
    assert ledger(tx).stored == 3


def test_a_turn_without_events_still_counts_what_it_received(tx: sa.Connection) -> None:
    add(tx, received=2, stored=0, quarantined=2, first_time=None, last_time=None, lanes=())
    assert (ledger(tx).quarantined, ledger(tx).last_seen) == (2, None)
    add(tx, "nothing", received=0, stored=0, first_time=None, last_time=None)
    assert [one.name for one in BOOK.sources(tx)] == ["web"]


def test_what_is_unreadable_is_kept_whole_and_listed_newest_first(tx: sa.Connection) -> None:
    blobs = Blobs()
    items = [Unreadable("web", "f.json", n, "not JSON", b"{%d" % n) for n in range(1, 6)]
    later = NOW + timedelta(seconds=1)
    BOOK.quarantine(tx, blobs, [Aside("default", NOW, item) for item in items[:3]])
    BOOK.quarantine(tx, blobs, [Aside("north", later, item) for item in items[3:]])
    BOOK.quarantine(tx, blobs, [Aside("default", NOW, Unreadable("other", "x", 1, "r", b""))])
    first = BOOK.quarantined(tx, source="web", size=2)
    assert [item.ordinal for item in first.items] in ([5, 4], [4, 5])
    assert (first.total, first.items[0].tenant) == (5, "north")
    rest = BOOK.quarantined(tx, source="web", cursor=first.next_cursor, size=10)
    assert {item.ordinal for item in rest.items} == {1, 2, 3}
    assert rest.next_cursor is None
    for item in (*first.items, *rest.items):
        assert blobs.get(item.digest) == b"{%d" % item.ordinal
        assert (item.place, item.reason, item.size_bytes) == ("f.json", "not JSON", 2)
    assert BOOK.quarantined(tx).total == 6


def test_the_same_bytes_twice_are_two_records(tx: sa.Connection) -> None:
    same = Aside("default", NOW, Unreadable("web", "udp 10.0.0.1:5", 1, "not JSON", b"{"))
    BOOK.quarantine(tx, Blobs(), [same])
    BOOK.quarantine(tx, Blobs(), [same])
    assert BOOK.quarantined(tx).total == 2


def test_a_foreign_cursor_is_refused(tx: sa.Connection) -> None:
    with pytest.raises(IngestError, match="no cursor"):
        BOOK.quarantined(tx, cursor="alert-1")


def test_excerpts_are_short_and_print() -> None:
    shown = excerpt(b"\x1b[31mred\x00\r\n\xff" + b"y" * 500)
    assert shown.startswith("\\x1b[31mred\\x00\\r\\n")
    assert len(shown) == 200
    assert shown.isprintable()


def test_a_clock_that_is_ahead_hides_no_silence_and_teaches_no_gaps(tx: sa.Connection) -> None:
    for minute in range(10):
        now = NOW + timedelta(minutes=minute)
        ahead = now + timedelta(hours=5)
        times = np.array([int(ahead.timestamp() * 1e6)])
        add(tx, times_us=times, first_time=ahead, last_time=ahead, now=now, clock=Clock(1, 0, 18e3))
    found = ledger(tx)
    assert found.last_seen == NOW + timedelta(minutes=9)
    assert (found.ahead, found.late, found.expected_interval_s) == (10, 0, 60.0)


def test_what_the_kernel_drops_and_who_owns_a_source_are_kept(tx: sa.Connection) -> None:
    BOOK.add_lost(tx, "syslog/udp", NOW)
    assert BOOK.sources(tx) == []
    BOOK.add_lost(tx, "syslog/udp", NOW, dropped=3)
    BOOK.add_lost(tx, "syslog/udp", NOW, dropped=4)
    BOOK.set_owner(tx, "syslog/udp", " ana ")
    assert (ledger(tx, "syslog/udp").dropped, ledger(tx, "syslog/udp").owner) == (7, "ana")
    with pytest.raises(IngestError, match="'nobody'"):
        BOOK.set_owner(tx, "nobody", "ana")


def test_sources_added_together_come_to_what_they_come_to_one_by_one(tx: sa.Connection) -> None:
    def turn(source: str, tenant: str, hours: float, count: int) -> SourceTurn:
        start = int((NOW - timedelta(hours=hours)).timestamp() * 1e6)
        times = start + np.arange(count) * 60_000_000
        first, last = NOW - timedelta(hours=hours), NOW
        counts = (count + 1, count, 1, 0, 10 * count)
        return SourceTurn(source, *counts, first, last, ("a.b",), tenant, times)

    one = [turn("web", "red", 3, 60), turn("fw", "red", 1, 5), turn("old", "red", 0.1, 2)]
    more = [turn("web", "red", 1, 30), turn("fw", "red", 0.5, 9), turn("new", "red", 1, 3)]
    for turns, now in ((one, NOW), (more, NOW + timedelta(seconds=5))):
        BOOK.add(tx, turns, now)
        for each in turns:
            BOOK.add(tx, [dataclasses.replace(each, tenant="blue")], now)
    for table in (sources, source_slots):
        rows = [dict(row) for row in tx.execute(sa.select(table)).mappings()]
        told: dict[str, list[dict[str, object]]] = {"red": [], "blue": []}
        for row in rows:
            told[row.pop("tenant")].append(row)
        for same in told.values():
            same.sort(key=str)
        assert told["red"] == told["blue"]
        assert told["red"]
