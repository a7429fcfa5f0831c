"""From a search to a draft of a rule: pick events, see the rule proven on them, keep it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from tocsin.app.drafting.search_drafting import (
    DraftedRule,
    WantedDraft,
    draft_from_search,
    keep_draft,
)
from tocsin.console.panes import Pane
from tocsin.console.search_asked import Turn
from tocsin.console.search_columns import row
from tocsin.console.search_state import DEFAULT_COLUMNS, DEFAULT_FROM, SearchState
from tocsin.console.visit import Needs, Refused, Visit
from tocsin.detect.errors import DetectError
from tocsin.model.principal import Permission
from tocsin.model.severity import Level
from tocsin.store.ports import StoreError
from tocsin.store.query import StoredEvent
from tocsin.store.stop_signal import StopSignal

router = APIRouter(prefix="/rules/draft")
Writer = Annotated[Visit, Depends(Needs(Permission.RULES_WRITE))]
SHOWN_EVENTS = 20
PICKED = 5


@router.get("")
def draft(
    visit: Writer,
    turn: Turn,
    q: Annotated[str, Query(max_length=8000)] = "",
    start: Annotated[str, Query(alias="from", max_length=40)] = DEFAULT_FROM,
    to: Annotated[str, Query(max_length=40)] = "",
    event: Annotated[list[str] | None, Query(max_length=1000)] = None,
    title: Annotated[str, Query(max_length=200)] = "",
    level: Level = Level.MEDIUM,
) -> Response:
    """The events to pick from and the rule that is made of those picked, or of the first of them."""
    query = SearchState(q, start or DEFAULT_FROM, to)
    given = list(dict.fromkeys(event or []))
    shown = _shown(visit, query, given[:SHOWN_EVENTS], turn)
    picked = given[:SHOWN_EVENTS] or [
        one.event_id for one in _of_first_lane(shown.value or [])[:PICKED]
    ]
    wanted = _wanted(visit, query, picked, title, level) if picked else None
    return visit.page(
        "rule_draft.html",
        query=query,
        shown=shown,
        rows=[row(one, DEFAULT_COLUMNS) for one in shown.value or []],
        picked=picked,
        left_out=len(given[SHOWN_EVENTS:]),
        title=title,
        level=level,
        levels=list(Level),
        drafted=_drafted(visit, wanted) if wanted else Pane(None),
    )


@router.post("")
def keep(visit: Writer) -> Response:
    """Keep the rule as a draft, which does not run before somebody stages it."""
    query = SearchState(visit.text("q"), visit.text("from") or DEFAULT_FROM, visit.text("to"))
    title = visit.required("title", "the rule a title")
    picked = [text for text in visit.form.getlist("event") if isinstance(text, str)]
    try:
        level = Level(visit.text("level"))
        wanted = _wanted(visit, query, picked, title, level)
        drafted = draft_from_search(visit.tocsin, wanted, visit.now)
        keep_draft(visit.tocsin, drafted, by=visit.principal.name, now=visit.now)
    except (DetectError, StoreError, ValueError) as error:
        raise Refused(f"It was not kept: {error}.") from error
    return visit.done("Kept as a draft: try it, then stage it.", to=f"/rules/{drafted.rule_id}")


def _wanted(
    visit: Visit, query: SearchState, picked: list[str], title: str, level: Level
) -> WantedDraft:
    return WantedDraft(
        title=title or "Say what it finds",
        query=query.query(visit.now),
        event_ids=tuple(picked),
        level=level,
        author=visit.principal.name,
    )


def _shown(
    visit: Visit, query: SearchState, picked: list[str], stop: StopSignal
) -> Pane[list[StoredEvent]]:
    """The newest that match, and those picked that are not among them."""
    try:
        wanted = query.query(visit.now, SHOWN_EVENTS)
        found = list(visit.tocsin.events.search(wanted, stop).events)
    except (StoreError, ValueError) as error:
        return Pane(None, f"The search can't be run: {error}.")
    known = {one.event_id for one in found}
    others = (visit.tocsin.events.get(event_id) for event_id in picked if event_id not in known)
    return Pane([*(one for one in others if one is not None), *found])


def _of_first_lane(events: list[StoredEvent]) -> list[StoredEvent]:
    return [one for one in events if one.lane == events[0].lane]


def _drafted(visit: Visit, wanted: WantedDraft) -> Pane[DraftedRule]:
    try:
        return Pane(draft_from_search(visit.tocsin, wanted, visit.now))
    except (DetectError, StoreError) as error:
        return Pane(None, f"{str(error)[:1].upper()}{str(error)[1:]}.")
