"""Keeps a rule quiet where fields hold: exceptions made by hand or from an event, tried beforehand."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.explaining.exception_preview import (
    DAYS,
    MOST_FINDINGS,
    ExceptionPreview,
    preview_exception,
)
from tocsin.console.exception_form import (
    HOW,
    OfferedField,
    end_of_day,
    fields_of,
    offered_fields,
    picked_event,
)
from tocsin.console.pages.rule_life import refusals
from tocsin.console.panes import attempt
from tocsin.console.rule_view import rule_with
from tocsin.console.visit import Missing, Needs, Refused, Visit
from tocsin.detect.rules.overlay import fields_in_words
from tocsin.model.principal import Permission

router = APIRouter(prefix="/rules")
Writer = Annotated[Visit, Depends(Needs(Permission.RULES_WRITE))]
_TOLD = 3
_LASTS = timedelta(days=30)
_MOST_ALERTS = 200


@dataclass(frozen=True, slots=True)
class PickedEvent:
    """An event an exception is made from, with its fields; ``of`` is who its alert is about."""

    event_id: str
    of: str
    fields: list[OfferedField]


def exceptions_view(visit: Visit, rule_id: str, event_id: str) -> dict[str, Any]:
    """What the tab shows besides the exceptions there are."""
    picked = attempt("The event", lambda: _picked(visit, rule_id, event_id)) if event_id else None
    return {
        "fields_in_words": fields_in_words,
        "picked": picked,
        "how": HOW,
        "expires": (visit.now + _LASTS).date().isoformat(),
    }


@router.post("/{rule_id:path}/exceptions/preview")
def preview(visit: Writer, rule_id: str) -> Response:
    """What the exception in the form would have hidden; nothing changes."""
    rule_with(visit.tocsin, rule_id)

    def tried() -> ExceptionPreview:
        with refusals():
            at_hand = visit.request.app.state.findings_at_hand
            fields = fields_of(visit.form)
            return preview_exception(visit.tocsin, rule_id, fields, visit.now, at_hand)

    return visit.page(
        "rule_exception_preview.html",
        preview=attempt("The preview", tried),
        days=DAYS,
        most=MOST_FINDINGS,
    )


@router.post("/{rule_id:path}/exceptions")
def add(visit: Writer, rule_id: str) -> Response:
    fields = fields_of(visit.form)
    with refusals():
        _, hides = visit.tocsin.rule_book.add_exception(
            rule_id,
            fields,
            owner=visit.required("owner", "an owner, who is asked when the exception ends"),
            reason=visit.required("reason", "the reason for the exception"),
            by=visit.principal.name,
            expires=end_of_day(visit.text("expires")),
        )
    if hides:
        return visit.done(
            f"The exception is in force, but it hides what the rule's own tests must find: "
            f"{', '.join(hides[:_TOLD])}.",
            kind="bad",
        )
    return visit.done("The exception is in force.")


@router.post("/{rule_id:path}/exceptions/remove")
def remove(visit: Writer, rule_id: str) -> Response:
    reason = visit.required("reason", "the reason for removing it")
    with refusals():
        visit.tocsin.rule_book.remove_exception(
            rule_id, visit.text("exception"), reason=reason, by=visit.principal.name
        )
    return visit.done("The exception is removed; what it hid stays counted.")


def _picked(visit: Visit, rule_id: str, event_id: str) -> PickedEvent:
    """The event as an alert of the rule keeps it, else as it is stored."""
    tocsin = visit.tocsin
    found = None
    if visit.may(Permission.ALERTS_READ.value):
        with tocsin.state.read() as tx:
            alerts = tocsin.alerts.page(tx, rule_id=rule_id, size=_MOST_ALERTS).items
        found = picked_event(alerts, event_id)
    if found is not None:
        alert, event = found
        matched = {
            match.name
            for one in alert.exemplars
            if one.event_id == event_id
            for match in one.matched
        }
        names = [entity.name for entity in (alert.entity, *alert.related)]
        return PickedEvent(event_id, alert.entity.name, offered_fields(event, matched, names))
    if not visit.may(Permission.EVENTS_SEARCH.value):
        raise Refused("Your roles do not let you read stored events.")
    stored = tocsin.events.get(event_id)
    if stored is None:
        raise Missing(f"No stored event has the id {event_id[:80]}; it may have been deleted.")
    return PickedEvent(event_id, stored.source, offered_fields(stored.native, (), ()))
