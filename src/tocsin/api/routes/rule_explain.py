"""Why a rule finds an event or not."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from tocsin.api.guard import House, needs
from tocsin.api.problem import Problem
from tocsin.app.explaining.given_event import (
    GivenEvent,
    NoEvent,
    given_of_record,
    given_of_stored,
    stored_event,
)
from tocsin.app.explaining.stored_explaining import explain_stored
from tocsin.app.plain import as_json
from tocsin.app.wiring import Tocsin
from tocsin.model.principal import Permission, Principal

router = APIRouter(prefix="/api/v1/rules", tags=["rules"])
Reader = Annotated[Principal, Depends(needs(Permission.RULES_READ))]


class Explained(BaseModel):
    """The event to explain a rule on: one of the store by its id, or any record."""

    model_config = ConfigDict(extra="forbid")

    event_id: str = Field("", max_length=200)
    event: dict[str, Any] | None = Field(
        None, description="A record as its sender writes it, or an event as the search gives it."
    )


@router.post("/{rule_id}/explain", summary="Explain a rule on an event")
def explain(house: House, rule_id: str, body: Explained, by: Reader) -> dict[str, Any]:
    """Whether the rule sees the event's lane, and which part of it held or failed on what values.

    ``blamed`` says in words why it does not match, the smallest part first. A rule over several
    events comes with those it takes (``bases``) and, for a stored event, what its window held.
    """
    if house.rule(rule_id) is None and house.rule_keeper.written.rule(rule_id) is None:
        raise Problem(404, "No such rule", f"{rule_id} is not loaded")
    if bool(body.event_id) == (body.event is not None):
        raise Problem(422, "Which event?", "give either event_id or event")
    if body.event_id and not by.may(Permission.EVENTS_SEARCH):
        raise Problem(403, "Not allowed", f"{by.name} lacks {Permission.EVENTS_SEARCH}")
    given = _given(house, body)
    lanes = {lane.id: lane for lane in house.normalizer.lanes}
    written, exceptions = house.rule_keeper.written, house.ruleset.exceptions
    found = explain_stored(written, rule_id, given, house.events, lanes, exceptions)
    if found is None:
        raise Problem(
            422, "Nothing to explain", "the rule judges measurements of the platform, not events"
        )
    return dict(as_json(found))


def _given(house: Tocsin, body: Explained) -> GivenEvent:
    if body.event is not None:
        try:
            given = given_of_record(body.event, house.normalizer)
        except NoEvent as error:
            raise Problem(422, "The event can't be read", str(error)) from error
        return GivenEvent(given.native, given.lane, given.time, given.source)
    event = stored_event(house.events, body.event_id)
    if event is None:
        raise Problem(404, "No such event", f"{body.event_id} is not stored")
    return given_of_stored(event, house.normalizer)
