"""Alerts and the entities they are about."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from tocsin.api.guard import House, needs
from tocsin.api.problem import Problem
from tocsin.app.plain import as_json, page_json
from tocsin.model.alert import AlertStatus, Disposition
from tocsin.model.principal import Permission, Principal
from tocsin.model.severity import Level

router = APIRouter(prefix="/api/v1", tags=["triage"])
_reads = Depends(needs(Permission.ALERTS_READ))
Writer = Annotated[Principal, Depends(needs(Permission.ALERTS_WRITE))]
Size = Annotated[int, Query(ge=1, le=1000)]


@router.get("/alerts", dependencies=[_reads], summary="List alerts")
def alerts(
    house: House,
    status: AlertStatus | None = None,
    level: Level | None = None,
    entity: Annotated[str | None, Query(description="Entity key, e.g. host:web-01.")] = None,
    rule: str | None = None,
    text: str | None = None,
    cursor: str | None = None,
    size: Size = 50,
) -> dict[str, Any]:
    """Alerts, highest score first."""
    with house.state.read() as tx:
        page = house.alerts.page(
            tx,
            status=status,
            level=level,
            entity_key=entity,
            rule_id=rule,
            text=text,
            cursor=cursor,
            size=size,
        )
    return page_json("alerts", page)


@router.get("/alerts/{alert_id}", dependencies=[_reads], summary="One alert")
def alert(house: House, alert_id: str) -> dict[str, Any]:
    """The alert with its score's addends and exemplars."""
    with house.state.read() as tx:
        found = house.alerts.get(tx, alert_id)
        verdicts = house.alerts.verdicts(tx, alert_id)
    if found is None:
        raise Problem(404, "No such alert", f"{alert_id} does not exist")
    return {**as_json(found), "verdicts": as_json(verdicts)}


class AlertChange(BaseModel):
    """What to change on which alerts."""

    ids: list[str] = Field(min_length=1, max_length=100_000)
    status: AlertStatus | None = None
    disposition: Disposition | None = None
    assignee: str | None = None
    reason: str = ""


@router.post("/alerts/change", summary="Change alerts in bulk")
def change_alerts(house: House, change: AlertChange, by: Writer) -> dict[str, Any]:
    """Acknowledge, assign or close any number of alerts; closing needs a reason."""
    now = datetime.now(UTC)
    with house.state.begin() as tx:
        changed = house.alerts.change(
            tx,
            change.ids,
            status=change.status,
            disposition=change.disposition,
            assignee=change.assignee,
            reason=change.reason,
            by=by.name,
            now=now,
        )
        house.audit.append(
            tx,
            actor=by.name,
            action="alerts.change",
            subject=f"{len(changed)} alerts",
            detail=change.model_dump_json(exclude={"ids"}),
            outcome="done",
            now=now,
        )
    return {"changed": len(changed)}


@router.get("/entities", dependencies=[_reads], summary="Entities by risk")
def entities(house: House, cursor: str | None = None, size: Size = 50) -> dict[str, Any]:
    """Entities with open alerts, riskiest first, with the addends of their risk."""
    with house.state.read() as tx:
        return page_json("entities", house.risk.page(tx, cursor=cursor, size=size))


@router.get("/entities/{key}", dependencies=[_reads], summary="One entity")
def entity(house: House, key: str) -> dict[str, Any]:
    """Risk of one entity and the asset it stands for, when known."""
    with house.state.read() as tx:
        found = house.risk.get(tx, key)
    if found is None:
        raise Problem(404, "No such entity at risk", f"{key} has no open alerts")
    asset = house.assets.asset(found.entity.name) or house.assets.by_address(found.entity.name)
    return {**as_json(found), "asset": as_json(asset)}
