"""What people decide about rules: state, level, notes and exceptions, with their history."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tocsin.api.guard import House, needs
from tocsin.api.problem import Problem
from tocsin.app.plain import as_json
from tocsin.app.rules.exception_fields import unseen_fields
from tocsin.app.wiring import Tocsin
from tocsin.detect.errors import RefusedDecision, UnknownRule
from tocsin.detect.overlays.overlay_book import OverlayChanged, UnknownVersion
from tocsin.detect.overlays.overlay_content import DamagedOverlay, read_fields
from tocsin.detect.rules.overlay import LifeState, Overlay, RuleException
from tocsin.detect.rules.schedule import BadSchedule, read_schedule
from tocsin.model.identifier import new_id
from tocsin.model.principal import Permission, Principal
from tocsin.model.severity import Level

router = APIRouter(prefix="/api/v1/rules", tags=["rules"])
_reads = Depends(needs(Permission.RULES_READ))
Engineer = Annotated[Principal, Depends(needs(Permission.RULES_WRITE))]
Reason = Annotated[str, Field(min_length=1, max_length=2000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewException(_Body):
    """Where a rule is to keep quiet: ``fields`` as in a Sigma selection, all of which must hold."""

    fields: dict[str, Any] = Field(
        description="Field, with modifiers if any, to one value or a list of alternatives."
    )
    owner: str = Field(min_length=1, max_length=200)
    reason: Reason
    expires: AwareDatetime | None = None


class KeptException(NewException):
    """An exception of a saved overlay; ``id`` is empty for a new one."""

    id: str = Field("", max_length=200)


class SavedOverlay(_Body):
    """All decisions on a rule at once, over the ``version`` the caller has seen (0: none)."""

    version: int = Field(ge=0)
    state: LifeState = LifeState.ACTIVE
    level: Level | None = Field(None, description="Null: the rule's own level.")
    notes: str = Field("", max_length=20_000)
    exceptions: list[KeptException] = Field(default_factory=list)
    reason: Reason


class StateChange(_Body):
    """Where rules are to go."""

    rule_ids: list[str] = Field(min_length=1, max_length=20_000)
    state: LifeState
    reason: Reason


class NewLevel(_Body):
    """Another level for a rule; null for its own."""

    level: Level | None
    reason: Reason


class Hours(_Body):
    """Hours of the week; an end not after the start is one of the next day."""

    days: list[str] = Field(min_length=1, max_length=7, description="mon tue wed thu fri sat sun")
    start: str = Field(description="08:00")
    end: str = Field(description="18:00")
    zone: str = Field("UTC", max_length=60, description="IANA time zone, such as Europe/Berlin.")
    outside: bool = Field(False, description="Page at all other times instead.")
    otherwise: Level | None = Field(
        None, description="Level of alerts when it does not page; null: no alert."
    )


class NewSchedule(_Body):
    """When a rule pages; null for any time."""

    schedule: Hours | None
    reason: Reason


class GoBack(_Body):
    """The version of the history to bring back; 0 is the rule as it came."""

    version: int = Field(ge=0)
    reason: Reason


class Settled(_Body):
    """How to end a conflict with a changed rule text."""

    keep_ours: bool = Field(description="True: what was decided here stays; false: upstream's.")
    reason: str = Field("", max_length=2000)


@router.get("/{rule_id}/overlay", dependencies=[_reads], summary="What was decided on a rule")
def overlay(house: House, rule_id: str) -> dict[str, Any]:
    """State, level, notes and exceptions with what each hid by day, and some of the events.

    ``version`` is to be sent with the next save. ``update`` tells conflicts with a rule text that
    has changed, both sides of each. A rule nobody decided on is active, at version 0.
    """
    return _told(house, rule_id)


@router.put("/{rule_id}/overlay", summary="Save all decisions on a rule")
def save_overlay(house: House, rule_id: str, body: SavedOverlay, by: Engineer) -> dict[str, Any]:
    """Answers 409 with what changed meanwhile when someone else saved a later version.

    An exception keeps who made it and when by its ``id``.
    """
    exceptions = tuple(
        RuleException(
            one.id or new_id("exception"), one.owner, one.reason, _fields(one), one.expires
        )
        for one in body.exceptions
    )
    wanted = Overlay(rule_id, body.state, body.level, exceptions, body.notes)
    with _refusals():
        house.rule_book.save(wanted, seen_version=body.version, reason=body.reason, by=by.name)
    return _told(house, rule_id)


@router.post("/{rule_id}/level", summary="Give a rule another level")
def set_level(house: House, rule_id: str, body: NewLevel, by: Engineer) -> dict[str, Any]:
    """The rule's own text keeps its level; findings from now on have this one."""
    with _refusals():
        house.rule_book.set_level(rule_id, body.level, reason=body.reason, by=by.name)
    return _told(house, rule_id)


@router.post("/{rule_id}/schedule", summary="Say when a rule pages")
def set_schedule(house: House, rule_id: str, body: NewSchedule, by: Engineer) -> dict[str, Any]:
    """Findings of other times are kept and counted, and make no alert or one of a lower level."""
    try:
        schedule = read_schedule(body.schedule.model_dump()) if body.schedule else None
    except BadSchedule as error:
        raise Problem(422, "The schedule can't be used", str(error)) from error
    with _refusals():
        house.rule_book.set_schedule(rule_id, schedule, reason=body.reason, by=by.name)
    return _told(house, rule_id)


@router.post("/{rule_id}/exceptions", status_code=201, summary="Add an exception")
def add_exception(house: House, rule_id: str, body: NewException, by: Engineer) -> dict[str, Any]:
    """Hits where all fields hold make no finding from now on; they are counted.

    ``hides_tests`` names tests of the rule that must match and whose event it would hide,
    ``unseen_fields`` those fields of it that no event the rule looks at ever had.
    """
    with _refusals():
        made, hides_tests = house.rule_book.add_exception(
            rule_id,
            _fields(body),
            owner=body.owner,
            reason=body.reason,
            by=by.name,
            expires=body.expires,
        )
    unseen = unseen_fields(made.fields, house.reach.shown_to(rule_id))
    return {"exception": as_json(made), "hides_tests": hides_tests, "unseen_fields": unseen}


@router.delete("/{rule_id}/exceptions/{exception_id}", summary="Remove an exception")
def remove_exception(
    house: House, rule_id: str, exception_id: str, by: Engineer, reason: str = ""
) -> dict[str, Any]:
    """What it hid stays counted, and the history keeps it."""
    with _refusals():
        house.rule_book.remove_exception(rule_id, exception_id, reason=reason, by=by.name)
    return _told(house, rule_id)


@router.get("/{rule_id}/history", dependencies=[_reads], summary="The history of a rule")
def history(house: House, rule_id: str) -> dict[str, Any]:
    """Every decision and every change of the rule's text, latest first, each with its diff."""
    with _refusals():
        return {"history": as_json(house.rule_book.history(rule_id))}


@router.post("/{rule_id}/revert", summary="Go back to an earlier version")
def revert(house: House, rule_id: str, body: GoBack, by: Engineer) -> dict[str, Any]:
    """The decisions of that version come back as a new version; nothing in between is lost."""
    with _refusals():
        house.rule_book.revert(rule_id, body.version, reason=body.reason, by=by.name)
    return _told(house, rule_id)


@router.post("/{rule_id}/settle", summary="Settle a conflict with a changed rule")
def settle(house: House, rule_id: str, body: Settled, by: Engineer) -> dict[str, Any]:
    """Keep what was decided here over the rule's changed text, or take upstream's level."""
    with _refusals():
        house.rule_book.settle(rule_id, keep_ours=body.keep_ours, reason=body.reason, by=by.name)
    return _told(house, rule_id)


@router.post("/state", summary="Move rules to another state")
def set_state(house: House, body: StateChange, by: Engineer) -> dict[str, Any]:
    """Each rule's outcome; ``refused`` says why one did not move while the others did.

    On the way to staging or active a rule's own tests run, and a failing one keeps it back.
    """
    with _refusals():
        moved = house.rule_book.set_state(body.rule_ids, body.state, reason=body.reason, by=by.name)
    return {"moved": as_json(moved)}


def _told(house: Tocsin, rule_id: str) -> dict[str, Any]:
    with _refusals():
        return dict(as_json(house.rule_book.life(rule_id, datetime.now(UTC))))


def _fields(one: NewException) -> dict[str, Any]:
    try:
        return dict(read_fields(one.fields))
    except DamagedOverlay as error:
        raise Problem(422, "The exception can't be used", str(error)) from error


@contextmanager
def _refusals() -> Iterator[None]:
    """What the book refuses as problems; a lost race tells who won it and what changed."""
    try:
        yield
    except OverlayChanged as error:
        raise Problem(
            409,
            "Someone else saved meanwhile",
            str(error),
            version=error.current.version,
            changes=as_json(error.changes),
        ) from error
    except UnknownRule as error:
        raise Problem(404, "No such rule", str(error)) from error
    except UnknownVersion as error:
        raise Problem(404, "No such version", str(error)) from error
    except RefusedDecision as error:
        raise Problem(409, "That can't be done now", str(error)) from error
