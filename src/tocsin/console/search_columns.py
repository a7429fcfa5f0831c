"""The columns of a search's list: their titles, and what an event has in each."""

from dataclasses import dataclass

from tocsin.app.searches.event_field import field_of
from tocsin.console import fields
from tocsin.console.display import visible
from tocsin.console.event_line import event_line
from tocsin.store.query import StoredEvent

SUMMARY = "event"
_TITLES = {"source": "Source", "host": "Host", "user": "User", SUMMARY: "Event", "lane": "Lane"}
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
