"""A draft of a mapping for what a source sends and nobody knows, to finish and to put in force."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.drafting.mapping_drafts import connector_name, draft_for, known_events
from tocsin.app.senders.mapping_keeper import LARGEST_BYTES
from tocsin.app.senders.mapping_trial import MappingTrial, told, try_mapping
from tocsin.console.panes import attempt
from tocsin.console.visit import Forbidden, Needs, Visit, with_query
from tocsin.model.principal import Permission
from tocsin.normalize.errors import MappingError

router = APIRouter(prefix="/sources/draft")
Reader = Annotated[Visit, Depends(Needs(Permission.SOURCES_READ))]
Writer = Annotated[Visit, Depends(Needs(Permission.SOURCES_WRITE))]
QUARANTINE = "quarantine"
MOST_GOES = 5
"""Segments of the store one press of the button tries."""


@router.get("")
def draft(visit: Reader, name: str, of: str = "") -> Response:
    """``of`` is ``quarantine``, or empty for the stored events of unknown format."""
    if not visit.may(Permission.EVENTS_SEARCH.value):
        raise Forbidden("this takes the permission events:search, which none of your roles has")
    return _page(visit, name, of, connector_name(name))


@router.post("")
def finish(visit: Writer) -> Response:
    """Try what was made of the draft on the records it is of, or put it in force."""
    name, of = visit.required("source", "a source"), visit.text("of")
    connector = visit.required("connector", "the connector's name")
    text = visit.text("text", limit=LARGEST_BYTES + 1).replace("\r\n", "\n") + "\n"
    if visit.text("do") != "save":
        return _page(visit, name, of, connector, text)
    try:
        done = visit.tocsin.mappings.put(connector, text, by=visit.principal.name, now=visit.now)
    except MappingError as error:
        return _page(visit, name, of, connector, text, MappingTrial(told(error)))
    return visit.done(f"In force from now on: {done.in_words()}. Map what is stored again.")


def _page(
    visit: Visit,
    name: str,
    of: str,
    connector: str,
    text: str | None = None,
    trial: MappingTrial | None = None,
) -> Response:
    """The page; ``text`` is what a person made of the draft, tried unless ``trial`` is given."""
    drafted = attempt(
        "The draft", lambda: draft_for(visit.tocsin, name, from_quarantine=of == QUARANTINE)
    )
    if text is not None and trial is None and drafted.value is not None:
        trial = try_mapping(connector, text, drafted.value.records, known_events(visit.tocsin))
    address = {"name": name, "of": QUARANTINE} if of == QUARANTINE else {"name": name}
    return visit.page(
        "source_draft.html",
        name=name,
        of=of,
        connector=connector,
        in_force=visit.tocsin.mappings.text_of(connector),
        text=text,
        trial=trial,
        is_of_quarantine=of == QUARANTINE,
        drafted=drafted,
        here=with_query("/sources/draft", address),
        unknown_address=with_query("/sources/draft", {"name": name}),
        quarantine_address=with_query("/sources/draft", {"name": name, "of": QUARANTINE}),
    )


@router.post("/recognize")
def recognize(visit: Writer) -> Response:
    """Map the stored events of unknown format again; what a mapping knows by now moves."""
    source = visit.required("source", "a source")
    after: str | None = ""
    tried = recognized = 0
    for _ in range(MOST_GOES):
        done = visit.tocsin.unknown.go(
            by=visit.principal.name, now=visit.now, after=after or "", source=source
        )
        tried, recognized, after = (
            tried + done.tried,
            recognized + done.recognized,
            done.next_after,
        )
        if after is None:
            break
    told = f"{tried:,} tried again: {recognized:,} recognized, {tried - recognized:,} still unknown"
    rest = "; there are more, press again" if after is not None and recognized else ""
    return visit.done(f"{told}{rest}.", kind="good" if recognized or not tried else "bad")
