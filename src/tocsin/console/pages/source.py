"""One source: whether its counts add up, what it sent by hour, what its records become."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.health.blindness import Blinded
from tocsin.app.health_now import SourceHealth, health_now, with_waiting, would_blind
from tocsin.app.plain import as_json
from tocsin.app.source_owner import own_source, owner_history
from tocsin.console.display import flatten, visible
from tocsin.console.event_line import event_line
from tocsin.console.hour_chart import HourChart, hour_chart
from tocsin.console.panes import attempt
from tocsin.console.visit import Missing, Needs, Refused, Visit, with_query
from tocsin.ingest.errors import IngestError
from tocsin.ingest.sources.silence import allowed_silence_s
from tocsin.ingest.sources.source_hours import source_hours, with_usual
from tocsin.model.principal import AuditEntry, Permission
from tocsin.store.lucene import quoted
from tocsin.store.query import EventQuery, StoredEvent

router = APIRouter(prefix="/sources/source")
Reader = Annotated[Visit, Depends(Needs(Permission.SOURCES_READ))]
Writer = Annotated[Visit, Depends(Needs(Permission.SOURCES_WRITE))]
SPANS = {24: "24 hours", 72: "3 days", 336: "14 days"}
SAMPLES = 25
TABS = ("", "samples")


@dataclass(frozen=True, slots=True)
class SourceState:
    """What the address holds: whose page, which part of it, and which sample is taken apart."""

    name: str = ""
    tenant: str = "default"
    tab: str = ""
    hours: int = 24
    event: str = ""

    def address(self, **changes: object) -> str:
        query: dict[str, object] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        query |= changes
        query["tenant"] = "" if query["tenant"] == "default" else query["tenant"]
        query["hours"] = "" if query["hours"] == 24 else query["hours"]
        return with_query("/sources/source", query)

    @property
    def search(self) -> str:
        """The address of all its events."""
        return with_query("/search", {"q": f"source:{quoted(self.name)}"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One record as it came, as it was read, and what it means."""

    event: StoredEvent
    raw: str
    is_rebuilt: bool
    native: list[tuple[str, object]]
    ocsf: list[tuple[str, object]]


@dataclass(frozen=True, slots=True)
class SourceView:
    """The overview. ``blinded`` are the rules nothing else feeds, whether it is silent or not."""

    health: SourceHealth
    allowed_s: float | None
    blinded: Blinded
    chart: HourChart
    owners: Sequence[AuditEntry]
    people: Sequence[str]


@router.get("")
def source(visit: Reader, query: Annotated[SourceState, Depends()]) -> Response:
    health = with_waiting(visit.tocsin, health_now(visit.tocsin, visit.now), visit.now)
    found = next(
        (
            one
            for one in health.sources
            if (one.ledger.tenant, one.ledger.name) == (query.tenant, query.name)
        ),
        None,
    )
    if found is None:
        raise Missing(f"No source by the name {visible(query.name, 200)!r} has sent anything.")
    tab = query.tab if query.tab in TABS else ""
    shown: dict[str, Any] = {
        "query": query,
        "tab": tab,
        "one": found,
        "spans": SPANS,
        "summary": event_line,
    }
    if tab == "samples":
        samples = attempt("The latest records", lambda: _samples(visit, query))
        return visit.page(
            "source_samples.html",
            **shown,
            samples=samples,
            sample=attempt("The record", lambda: _sample(visit, query, samples.value or ())),
        )

    def read() -> SourceView:
        hours = query.hours if query.hours in SPANS else 24
        with visit.tocsin.state.read() as tx:
            every = with_usual(tx, source_hours(tx, visit.now, hours, query.name))
            owners = owner_history(visit.tocsin, tx, query.name)
        return SourceView(
            found,
            allowed_silence_s(found.ledger),
            would_blind(visit.tocsin, found.ledger, health.ledgers()),
            hour_chart(every.get((query.tenant, query.name), [])),
            owners,
            sorted({user.name for user in visit.tocsin.access.users()}),
        )

    return visit.page("source.html", **shown, view=attempt("The source", read))


@router.post("/owner")
def own(visit: Writer) -> Response:
    """Name who looks after the source; its troubles open tasks for them from then on."""
    source, owner = visit.required("source", "a source"), visit.text("owner", limit=200)
    reason = visit.required("reason", "a reason")
    try:
        own_source(
            visit.tocsin,
            source,
            owner,
            by=visit.principal.name,
            now=visit.now,
            reason=reason,
            tenant=visit.text("tenant") or "default",
        )
    except IngestError as error:
        raise Refused(str(error)) from error
    return visit.done(f"{source} is looked after by {owner or 'nobody'}.")


def _samples(visit: Visit, query: SourceState) -> Sequence[StoredEvent]:
    """Its latest records; none for those who may not search events."""
    if not visit.may(Permission.EVENTS_SEARCH.value):
        return ()
    wanted = EventQuery(f"source:{quoted(query.name)}", size=SAMPLES)
    return visit.tocsin.events.search(wanted).events


def _sample(visit: Visit, query: SourceState, latest: Sequence[StoredEvent]) -> Sample | None:
    event = latest[0] if latest else None
    if query.event and visit.may(Permission.EVENTS_SEARCH.value):
        event = next((one for one in latest if one.event_id == query.event), None)
        event = event or visit.tocsin.events.get(query.event)
        if event is None:
            raise Missing(f"There is no event {visible(query.event, 80)} in the store any more.")
    if event is None:
        return None
    raw = event.raw.decode("utf-8", "backslashreplace") if event.raw is not None else ""
    rebuilt = orjson.dumps(as_json(event.native), option=orjson.OPT_INDENT_2).decode()
    return Sample(
        event,
        visible(raw, 65536) or rebuilt,
        not raw,
        flatten(event.native),
        sorted(flatten(event.ocsf)),
    )
