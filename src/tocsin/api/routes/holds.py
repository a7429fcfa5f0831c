"""Legal holds: list, place, lift."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tocsin.api.guard import House, needs
from tocsin.api.problem import Problem
from tocsin.app.plain import as_json
from tocsin.app.storage.holds import LONGEST_FILTER, LONGEST_REASON, HoldError
from tocsin.app.storage.retention_tables import LONGEST_NAME
from tocsin.model.principal import Permission, Principal

router = APIRouter(prefix="/api/v1/holds", tags=["storage"])

Keeper = Annotated[Principal, Depends(needs(Permission.HOLDS_WRITE))]


class WantedHold(BaseModel):
    """A hold to place; without ``matching``, ``sources``, ``from``, ``to`` it holds all."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=LONGEST_NAME)
    reason: str = Field(max_length=LONGEST_REASON)
    sources: list[str] = Field(default=[], max_length=200, description="With `*`, `?`, `[…]`.")
    matching: str = Field(
        "", max_length=LONGEST_FILTER, description="Lucene filter; empty: every event."
    )
    tenant: str = Field("", max_length=200)
    start: AwareDatetime | None = Field(None, alias="from")
    until: AwareDatetime | None = Field(None, alias="to", description="Not included.")


class WantedLift(BaseModel):
    """Why a hold ends."""

    model_config = ConfigDict(extra="forbid")

    because: str = Field(max_length=LONGEST_REASON)


@router.get("", summary="List holds")
def holds(house: House, keeper: Keeper) -> dict[str, Any]:
    """Those in force first, then those that were lifted."""
    return {"holds": as_json(house.retention.holds.all())}


@router.post("", summary="Place a hold", status_code=201)
def place(house: House, wanted: WantedHold, keeper: Keeper) -> dict[str, Any]:
    """From now on nothing of it is deleted; what is deleted already does not come back."""
    try:
        hold = house.retention.holds.place(
            *(wanted.name, wanted.reason),
            by=keeper.name,
            now=datetime.now(UTC),
            sources=wanted.sources,
            tenant=wanted.tenant,
            start=wanted.start,
            until=wanted.until,
            matching=wanted.matching,
        )
    except HoldError as error:
        raise Problem(409, "Nothing is held", str(error)) from error
    return dict(as_json(hold))


@router.post("/{hold_id}/lift", summary="Lift a hold")
def lift(house: House, hold_id: str, wanted: WantedLift, keeper: Keeper) -> dict[str, Any]:
    """What it held stays for one more day; then retention may delete it."""
    try:
        hold = house.retention.holds.lift(
            hold_id, wanted.because, by=keeper.name, now=datetime.now(UTC)
        )
    except HoldError as error:
        raise Problem(409, "The hold stays", str(error)) from error
    return dict(as_json(hold))
