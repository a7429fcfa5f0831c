"""Which rules can match what comes in, and which fields they wait for."""

from typing import Any

from fastapi import APIRouter, Depends

from tocsin.api.guard import House, needs
from tocsin.app.explaining.rule_health import Slow, rule_health
from tocsin.app.plain import as_json
from tocsin.model.principal import Permission

router = APIRouter(
    prefix="/api/v1/rules", tags=["rules"], dependencies=[Depends(needs(Permission.RULES_READ))]
)


@router.get("/health", summary="Health of the rules")
def health(house: House) -> dict[str, Any]:
    """Whether each rule can match what has come in; if not, the obstacle and what is missing.

    Those that can't come first. ``refused`` are files and documents that can't be used. A rule
    with ``is_paused`` has an expression that took too long and is not searched for at present.
    """
    slow = Slow(house.engine.limits, house.engine.paused)
    return rule_health(house.rules(), house.ruleset.problems, house.reach.verdicts(), slow)


@router.get("/fields", summary="Fields seen, and fields rules wait for")
def fields(house: House) -> dict[str, Any]:
    """``seen`` are native fields by lane and source.

    ``gaps`` are fields that rules ask for and no source of the lane has shown, those that would
    wake the most rules first: ``wakes`` are rules that could match were it seen, ``asking`` all
    that need it, alone or with others.
    """
    with house.state.read() as tx:
        seen = house.reach.fields(tx)
    return {
        "seen": {
            lane: {source: sorted(names) for source, names in by_source.items()}
            for lane, by_source in seen.items()
        },
        "gaps": as_json(house.reach.gaps()),
    }
