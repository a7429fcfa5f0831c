"""One record of a search: its forms, what happened around it, and where its values lead."""

from dataclasses import dataclass
from datetime import timedelta

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from tocsin.app.plain import as_json
from tocsin.console import search_columns
from tocsin.console.display import as_text, flatten, visible
from tocsin.console.panes import Pane, attempt
from tocsin.console.search_asked import Asked, Hunter
from tocsin.console.search_columns import EventRow
from tocsin.console.search_state import SearchState, field_name
from tocsin.console.value_pivots import entity_of, pivots
from tocsin.console.visit import Missing, Visit
from tocsin.model.case import Case
from tocsin.model.principal import Permission
from tocsin.store.fields import NATIVE
from tocsin.store.lucene import quoted
from tocsin.store.query import EventQuery, StoredEvent
from tocsin.store.stop_signal import StopSignal

router = APIRouter(prefix="/search")
NEIGHBOURS = 25
"""Events shown before a record, and after it."""
MINUTES = ("1", "5", "15", "60", "1440")
SCOPES = {
    "host": ("device.hostname", "Same host"),
    "user": ("user.name", "Same user"),
    "actor": ("actor.user.name", "Same actor"),
    "address": ("src_endpoint.ip", "Same address"),
    "source": ("source", "Same source"),
    "all": ("", "Everything"),
}
"""What stands around a record: the field whose value is the same, and how it is called."""


FieldValues = tuple[str, str, list[str]]
"""A field's name as a filter takes it, its name in the record, and its values as text."""


@dataclass(frozen=True, slots=True)
class Around:
    """What happened before and after a record, oldest first; ``cut`` when there was more."""

    scope: str
    minutes: str
    scopes: list[tuple[str, str]]
    rows: list[EventRow]
    total_before: int
    total_after: int
    search: str

    @property
    def is_cut(self) -> bool:
        return max(self.total_before, self.total_after) > NEIGHBOURS


@dataclass(frozen=True, slots=True)
class RecordView:
    """One event with its fields made ready; ``text`` is the raw line where it was kept."""

    event: StoredEvent
    ocsf_fields: list[FieldValues]
    native_fields: list[FieldValues]
    text: str
    json: str
    around: Pane[Around] | None


def record_view(visit: Visit, query: SearchState, stop: StopSignal) -> RecordView:
    """The record that is open; raises Missing when it is not stored any more."""
    event = visit.tocsin.events.get(query.record)
    if event is None:
        raise Missing(f"There is no event {query.record[:80]} in the store any more.")
    text = event.raw.decode("utf-8", "backslashreplace") if event.raw is not None else ""
    around = None
    if query.view == "around":
        around = attempt("What is around it", lambda: _around(visit, query, event, stop))
    return RecordView(
        event=event,
        ocsf_fields=_values(sorted(flatten(event.ocsf)), ""),
        native_fields=_values(flatten(event.native), NATIVE),
        text=visible(text, 65536) or _indented(event.native),
        json=_indented(event),
        around=around,
    )


@router.get("/pivots")
def value_pivots(visit: Hunter, query: Asked, field: str, value: str) -> Response:
    """Where one value leads: narrower searches, the entity it names, its cases, a column."""
    field, value = field[:200], value[:4000]
    entity = entity_of(field, value)
    cases: tuple[Case, ...] = ()
    if entity is not None and visit.may(Permission.CASES_READ):
        with visit.tocsin.state.read() as tx:
            cases = tuple(visit.tocsin.cases.page(tx, entity_key=entity.key, size=5).items)
    return visit.page("search_pivots.html", pivots=pivots(query, field, value), cases=cases)


def _around(visit: Visit, query: SearchState, event: StoredEvent, stop: StopSignal) -> Around:
    held = {
        name: (value, label)
        for name, (field, label) in SCOPES.items()
        if (value := _value(event, field)) or not field
    }
    scope, _, minutes = query.around.partition(".")
    scope = scope if scope in held else next(iter(held))
    minutes = minutes if minutes in MINUTES else "5"
    field, value = SCOPES[scope][0], held[scope][0]
    text = f"{field_name(field)}:{quoted(value)}" if field else ""
    reach, instant = timedelta(minutes=int(minutes)), timedelta(microseconds=1)
    events = visit.tocsin.events
    earlier = events.search(
        EventQuery(text, event.time - reach, event.time + instant, NEIGHBOURS + 1), stop
    )
    later = events.search(
        EventQuery(text, event.time + instant, event.time + reach, NEIGHBOURS, oldest_first=True),
        stop,
    )
    before = [one for one in earlier.events if one.event_id != event.event_id][:NEIGHBOURS]
    shown = [*reversed(before), event, *later.events]
    return Around(
        scope=scope,
        minutes=minutes,
        scopes=[(name, label) for name, (_, label) in held.items()],
        rows=[search_columns.row(one, (search_columns.SUMMARY,)) for one in shown],
        total_before=max(0, earlier.total - 1),
        total_after=later.total,
        search=query.address(
            **query.moved_around(event.time, int(minutes)), q=text, cursor="", live=""
        ),
    )


def _values(fields: list[tuple[str, object]], space: str) -> list[FieldValues]:
    """Each member of a list apart; a member's number is no part of what a filter calls it."""
    found: list[FieldValues] = []
    for name, value in fields:
        members = value if isinstance(value, list | tuple) else [value]
        asked = ".".join(key for key in name.split(".") if not key.isdecimal())
        texts = [text for member in members if (text := as_text(member))]
        found.append((f"{space}{asked}", name, texts))
    return found


def _value(event: StoredEvent, field: str) -> str:
    value = event.source if field == "source" else event.ocsf.get(field)
    return value if isinstance(value, str) else ""


def _indented(value: object) -> str:
    """As JSON for reading; what hides is shown."""
    return orjson.dumps(as_json(value), option=orjson.OPT_INDENT_2).decode()
