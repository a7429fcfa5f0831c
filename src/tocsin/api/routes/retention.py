"""Rules of retention: which there are, what they would delete, setting and removing them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from tocsin.api.guard import House, needs
from tocsin.api.problem import Problem
from tocsin.app.plain import as_json
from tocsin.app.settings.retention_settings import RetentionRuleSettings
from tocsin.app.storage.retention_book import RetentionError
from tocsin.app.storage.storage_answers import due_json, retention_json
from tocsin.model.principal import Permission, Principal

router = APIRouter(prefix="/api/v1/retention", tags=["storage"])

Reader = Annotated[Principal, Depends(needs(Permission.SOURCES_READ))]
Writer = Annotated[Principal, Depends(needs(Permission.RETENTION_WRITE))]
SeenEvents = Annotated[
    int | None,
    Field(ge=0, description="How many events may go at once, as the preview said."),
]


class WantedRule(RetentionRuleSettings):
    """A rule to put in force."""

    seen_events: SeenEvents = None


class GoOn(BaseModel):
    """That what is due may go although it is odd."""

    model_config = ConfigDict(extra="forbid")

    seen_events: int = Field(ge=0, description="How many events may go, as was told.")


@router.get("", summary="Rules, how it goes, and what is due")
def retention(house: House, reader: Reader) -> dict[str, Any]:
    return retention_json(house.retention, datetime.now(UTC))


@router.post("/preview", summary="What would go")
def preview(house: House, wanted: RetentionRuleSettings, reader: Reader) -> dict[str, Any]:
    """What would go if the rule were in force, beside the others; nothing is deleted or set."""
    with _refusals():
        rules = house.retention.book.with_rule(wanted.rule())
    return due_json(house.retention.due(datetime.now(UTC), rules))


@router.post("/rules", summary="Put a rule in force", status_code=201)
def put(house: House, wanted: WantedRule, writer: Writer) -> dict[str, Any]:
    """A rule of the same name is replaced.

    Where a large share of all events would go at once, ``seen_events`` must say how many.
    """
    rule = RetentionRuleSettings(**wanted.model_dump(exclude={"seen_events"})).rule()
    with _refusals():
        kept = house.retention.put(
            rule, by=writer.name, now=datetime.now(UTC), seen_events=wanted.seen_events
        )
    house.storage_watch.look_again()
    return dict(as_json(kept))


@router.delete("/rules", summary="Take a rule out of force")
def remove(
    house: House,
    writer: Writer,
    name: Annotated[str, Query(max_length=120)],
    seen_events: Annotated[int | None, Query(ge=0)] = None,
) -> dict[str, Any]:
    """One that was set at run time; the configuration's rule of its name is in force again."""
    with _refusals():
        house.retention.remove(name, by=writer.name, now=datetime.now(UTC), seen_events=seen_events)
    house.storage_watch.look_again()
    return {"removed": name}


@router.post("/go-on", summary="Let deleting go on")
def go_on(house: House, wanted: GoOn, writer: Writer) -> dict[str, Any]:
    """After it stopped: what is due may go, for a day, up to that many events."""
    with _refusals():
        due = house.retention.go_on(
            by=writer.name, now=datetime.now(UTC), seen_events=wanted.seen_events
        )
    house.storage_watch.look_again()
    return due_json(due)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except RetentionError as error:
        raise Problem(409, "Retention stays as it is", str(error)) from error
