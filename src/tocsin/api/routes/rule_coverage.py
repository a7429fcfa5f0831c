"""ATT&CK coverage of the rules."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from tocsin.api.guard import House, needs
from tocsin.app.coverage.house_coverage import house_coverage
from tocsin.app.coverage.navigator_layer import navigator_layers
from tocsin.app.plain import as_json
from tocsin.model.principal import Permission

router = APIRouter(
    prefix="/api/v1/rules", tags=["rules"], dependencies=[Depends(needs(Permission.RULES_READ))]
)
Days = Annotated[int, Query(ge=1, le=3650, description="How far back alerts count, in days.")]


@router.get("/coverage", summary="ATT&CK coverage")
def coverage(house: House, days: Days = 30) -> dict[str, Any]:
    """By technique how many rules are in force, can match, carry tests, and how many alerts came.

    ``gaps`` are techniques that no rule in force can find though sources that could show them
    send, ranked by ``score`` (0 to 100): how much ATT&CK knows a technique to be used (``used``),
    how many sources could show it (``shown``), and how many rules are known (``known``).
    ``layers`` open in the ATT&CK Navigator.
    """
    found = house_coverage(house, days, datetime.now(UTC))
    return {**as_json(found), "layers": navigator_layers(found.techniques, days)}
