"""Rules: what runs, and what can't and why."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from tocsin.api.guard import House, needs
from tocsin.api.problem import Problem
from tocsin.app.explaining.rule_health import reach_facts
from tocsin.app.plain import as_json
from tocsin.app.rules.rule_facts import rule_facts
from tocsin.detect.rules.overlay import LifeState
from tocsin.model.principal import Permission, Principal
from tocsin.model.rule import RuleKind

router = APIRouter(
    prefix="/api/v1/rules", tags=["rules"], dependencies=[Depends(needs(Permission.RULES_READ))]
)


@router.get("", summary="List rules")
def rules(house: House) -> dict[str, Any]:
    """Every loaded rule of every kind, without its text, and every file that could not be loaded.

    ``facts`` say of a rule over several events or measurements what it takes, looks for and
    remembers; ``is_silent`` ones are counted by others and make no finding by themselves;
    ``reach`` says whether the rule can match what has come in, and if not, what is missing.
    ``state`` is draft, staging, active or retired; ``idle`` are the rules that don't run by a
    decision (draft, retired), ``problems`` those that can't, each with the reason.
    """
    listed = [as_json(rule) for rule in house.rules()]
    verdicts = house.reach.verdicts()
    states = {one: overlay.state.value for one, overlay in house.rule_book.overlays().items()}
    idle = [
        {**as_json(rule), "state": states.get(rule.id, LifeState.ACTIVE.value)}
        for rule in house.rule_keeper.written.all_rules()
        if house.ruleset.rule(rule.id) is None and rule.id in house.ruleset.out
    ]
    for rule in idle:
        rule.pop("source_text")
    for rule in listed:
        rule.pop("source_text")
        rule["reach"] = reach_facts(verdicts.get(rule["id"]))
        rule["state"] = states.get(rule["id"], LifeState.ACTIVE.value)
        rule["is_silent"] = rule["id"] in house.ruleset.silent_verdicts
        if rule["kind"] != RuleKind.SIGMA:
            rule["facts"] = as_json(rule_facts(house.ruleset, house.correlator, rule["id"]))
    return {"rules": listed, "idle": idle, "problems": as_json(house.ruleset.problems)}


@router.get("/{rule_id}", summary="One rule")
def rule(house: House, rule_id: str) -> dict[str, Any]:
    """The rule with its text, and what it takes, looks for and remembers."""
    found = house.rule(rule_id) or house.rule_keeper.written.rule(rule_id)
    if found is None:
        raise Problem(404, "No such rule", f"{rule_id} is not loaded")
    facts = rule_facts(house.ruleset, house.correlator, rule_id)
    reach = reach_facts(house.reach.verdicts().get(rule_id))
    overlay = house.rule_book.overlays().get(rule_id)
    state = overlay.state if overlay is not None else LifeState.ACTIVE
    return {**as_json(found), "state": state.value, "facts": as_json(facts), "reach": reach}


@router.post("/reload", summary="Take up changed rules")
def reload(
    house: House, by: Annotated[Principal, Depends(needs(Permission.RULES_WRITE))]
) -> dict[str, Any]:
    """Read what has changed in the rule folders and put it in force between two batches.

    Ids of the rules that were added, changed and removed; ``kept`` are in force in their earlier
    version because their file can't be used now: ``problems`` of the list say why.
    """
    return dict(as_json(house.rule_keeper.reload(by.name, datetime.now(UTC))))
