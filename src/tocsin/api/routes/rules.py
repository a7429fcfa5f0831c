"""Rules: what runs, and what can't and why."""

from typing import Any

from fastapi import APIRouter, Depends

from tocsin.api.guard import House, needs
from tocsin.api.problem import Problem
from tocsin.app.plain import as_json
from tocsin.model.principal import Permission

router = APIRouter(
    prefix="/api/v1/rules", tags=["rules"], dependencies=[Depends(needs(Permission.RULES_READ))]
)


@router.get("", summary="List rules")
def rules(house: House) -> dict[str, Any]:
    """Every loaded rule, without its text, and every file that could not be loaded."""
    listed = [as_json(rule) for rule in house.rules()]
    for rule in listed:
        rule.pop("source_text")
    return {"rules": listed, "problems": as_json(house.ruleset.problems)}


@router.get("/{rule_id}", summary="One rule")
def rule(house: House, rule_id: str) -> dict[str, Any]:
    """The rule with its text."""
    found = house.rule(rule_id)
    if found is None:
        raise Problem(404, "No such rule", f"{rule_id} is not loaded")
    return dict(as_json(found))
