"""Which fields the events found have is told with their share, from the first ones found."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from tocsin.app.searches.field_shares import FieldShare, field_shares
from tocsin.store.query import EventPage, EventQuery, StoredEvent

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _event(lane: str, ocsf: dict[str, object], native: dict[str, object]) -> StoredEvent:
    return StoredEvent("e", MOMENT, MOMENT, "default", "s", lane, ocsf, native)


def test_each_field_counts_once_an_event_however_deep_it_lies() -> None:
    found = (
        _event("a.b", {"user.name": "x"}, {"list": [{"k": 1}, {"k": 2}], "gone": None}),
        _event("c.d", {"user.name": "y", "rest": {"deep": 1}}, {"empty": []}),
    )
    asked: list[EventQuery] = []

    def search(query: EventQuery, stop: object) -> EventPage:
        asked.append(query)
        return EventPage(found, 40, None, 1, 40, 0.1)

    events: Any = SimpleNamespace(search=search)
    shares = field_shares(events, EventQuery("user:*", size=9, cursor="1.x"), sample=2)
    assert asked == [EventQuery("user:*", size=2)]
    assert (shares.total, shares.sampled, shares.lanes) == (40, 2, ("a.b", "c.d"))
    assert shares.fields == (
        FieldShare("user.name", 2, 1.0),
        FieldShare("rest.deep", 1, 0.5),
        FieldShare("native.list.k", 1, 0.5),
    )


def test_nothing_found_has_no_field() -> None:
    events: Any = SimpleNamespace(search=lambda *_: EventPage((), 0, None, 0, 0, 0.1))
    assert field_shares(events, EventQuery()).fields == ()
