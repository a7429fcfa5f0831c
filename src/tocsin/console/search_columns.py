"""The list of a search: its events as far as it shows them, its columns, what each has there."""

from dataclasses import dataclass, replace
from datetime import timedelta

from tocsin.app.searches.event_field import field_of
from tocsin.console import fields
from tocsin.console.display import visible
from tocsin.console.event_line import event_line
from tocsin.store.fields import NATIVE
from tocsin.store.ports import EventStore
from tocsin.store.query import EventPage, EventQuery, StoredEvent
from tocsin.store.stop_signal import StopSignal

SUMMARY = "event"
_TITLES = {"source": "Source", "host": "Host", "user": "User", SUMMARY: "Event", "lane": "Lane"}
_MICROSECOND = timedelta(microseconds=1)
_LEVELS = {2: "low", 3: "medium", 4: "high", 5: "critical", 6: "critical"}


@dataclass(frozen=True, slots=True)
class Cell:
    """What one event has in one column, and the whole of it where it is cut."""

    column: str
    text: str
    whole: str = ""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event in the list."""

    event: StoredEvent
    level: str
    cells: tuple[Cell, ...]


def listed(
    events: EventStore, query: EventQuery, columns: tuple[str, ...], stop: StopSignal
) -> EventPage:
    """The page of ``query``, its events with as much as rows of these columns show.

    Native fields, dear to read, come only where a row can't do without them.
    """
    if any(column.startswith(NATIVE) for column in columns):
        return events.search(query, stop)
    page = events.search(replace(query, with_native=False), stop)
    silent = [one for one in page.events if not event_line(one)] if SUMMARY in columns else []
    if not silent:
        return page
    whole = {one.event_id: one for one in _whole(events, silent, stop)}
    return replace(page, events=tuple(whole.get(one.event_id, one) for one in page.events))


def _whole(
    events: EventStore, found: list[StoredEvent], stop: StopSignal
) -> tuple[StoredEvent, ...]:
    """Those events once more, with native fields."""
    times = [one.time for one in found]
    named = " ".join(f'"{one.event_id}"' for one in found)
    query = EventQuery(
        f"event_id:({named.replace(' ', ' OR ')})",
        min(times),
        max(times) + _MICROSECOND,
        len(found),
    )
    return events.search(query, stop).events


def title(column: str) -> str:
    return _TITLES.get(column, column)


def row(event: StoredEvent, columns: tuple[str, ...]) -> EventRow:
    """The event as a row of these columns."""
    severity = event.ocsf.get("severity_id")
    level = _LEVELS.get(severity if isinstance(severity, int) else 0, "informational")
    return EventRow(event, level, tuple(_cell(event, column) for column in columns))


def _cell(event: StoredEvent, column: str) -> Cell:
    if column == SUMMARY:
        return Cell(column, event_line(event) or event.lane)
    if column == "host":
        host = event.ocsf.get("device.hostname")
        return Cell(column, visible(fields.short_host(host), 60), visible(host, 120))
    if column == "user":
        user = event.ocsf.get("user.name") or event.ocsf.get("actor.user.name")
        return Cell(column, visible(user, 60))
    whole = visible(field_of(event, column), 1000)
    return Cell(column, whole[:200], whole)
