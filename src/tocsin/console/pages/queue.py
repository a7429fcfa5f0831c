"""The queue: entities by risk, alerts by score, and what is done to many alerts at once."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.console.alert_view import alert_view
from tocsin.console.beside import beside
from tocsin.console.choosing import choice
from tocsin.console.entity_view import entity_view
from tocsin.console.pages.counters import alert_total
from tocsin.console.paging import PAGE_ROWS
from tocsin.console.panes import attempt
from tocsin.console.visit import Needs, Refused, Visit, with_query
from tocsin.model.alert import PEOPLE_SAY, Alert, AlertStatus, Disposition, EntityRisk
from tocsin.model.page import Page
from tocsin.model.principal import Permission
from tocsin.model.severity import Level
from tocsin.triage.alerts import AlertFilter, TriageError

router = APIRouter()
Reader = Annotated[Visit, Depends(Needs(Permission.ALERTS_READ))]
Writer = Annotated[Visit, Depends(Needs(Permission.ALERTS_WRITE))]


@dataclass(frozen=True, slots=True)
class QueueState:
    """What the address of the queue holds."""

    tab: str = "entities"
    status: str = "open"
    level: str = ""
    q: str = ""
    assignee: str = ""
    entity: str = ""
    cursor: str = ""
    alert: str = ""

    def address(self, **changes: str) -> str:
        """The address of the queue with some parts changed; another list starts at its top."""
        query = {name: getattr(self, name) for name in self.__dataclass_fields__} | changes
        if query["status"] == "open":
            query["status"] = ""
        return with_query("/queue", query)

    def wanted(self) -> AlertFilter:
        """The alerts this address asks for; parts it doesn't know do not narrow."""
        return AlertFilter(
            status=choice(AlertStatus, self.status),
            is_open=True if self.status == "open" else None,
            level=choice(Level, self.level),
            text=self.q or None,
            assignee=self.assignee or None,
            entity_key=self.entity if self.tab == "alerts" and self.entity else None,
        )


@router.get("/queue")
def queue(visit: Reader, query: Annotated[QueueState, Depends()]) -> Response:
    """The list, and the panel of what is open beside it."""
    if query.tab == "alerts":
        return _alerts_tab(visit, query)
    return _entities_tab(visit, query)


def _alerts_tab(visit: Visit, query: QueueState) -> Response:
    tocsin = visit.tocsin
    wanted = query.wanted()

    def read() -> Page[Alert]:
        with tocsin.state.read() as tx:
            return tocsin.alerts.page(
                tx,
                status=wanted.status,
                is_open=wanted.is_open,
                level=wanted.level,
                text=wanted.text,
                assignee=wanted.assignee,
                entity_key=wanted.entity_key,
                cursor=query.cursor or None,
                size=PAGE_ROWS,
            )

    alerts = attempt("The list of alerts", read)
    ids = [alert.id for alert in alerts.value.items] if alerts.value else []
    view = beside(query, "alert", ids, "The alert", lambda one: alert_view(visit, one))
    if visit.asks_for("panel"):
        return visit.page("alert_panel_part.html", **view)
    return visit.page(
        "queue_alerts.html",
        **view,
        alerts=alerts,
        known=_alert_total(visit),
        levels=list(reversed(Level)),
        dispositions=PEOPLE_SAY,
        hidden={name: getattr(query, name) for name in ("status", "level", "q", "assignee")}
        | {"entity": query.entity},
    )


def _entities_tab(visit: Visit, query: QueueState) -> Response:
    tocsin = visit.tocsin

    def read() -> Page[EntityRisk]:
        with tocsin.state.read() as tx:
            return tocsin.risk.page(tx, cursor=query.cursor or None, size=PAGE_ROWS)

    risks = attempt("The list of entities", read)
    keys = [risk.entity.key for risk in risks.value.items] if risks.value else []
    view = beside(query, "entity", keys, "The entity", lambda one: entity_view(visit, one))
    if visit.asks_for("panel"):
        return visit.page("entity_panel_part.html", **view)
    return visit.page(
        "queue_entities.html",
        **view,
        risks=risks,
        known=_alert_total(visit),
        assets=visit.tocsin.assets,
    )


def _alert_total(visit: Visit) -> int:
    """How many alerts this list was made from, so that the page can tell of new ones."""
    return attempt("The count", lambda: alert_total(visit)).value or 0


@router.post("/queue/bulk")
def change_many(visit: Writer) -> Response:
    """Acknowledge, assign or close the marked alerts, or all the filter finds."""
    tocsin, deed = visit.tocsin, visit.text("do")
    wish = _bulk_wish(visit, deed)
    with tocsin.state.begin() as tx:
        try:
            if visit.text("scope") == "matching":
                query = QueueState(
                    tab="alerts",
                    **{
                        name: visit.text(name)
                        for name in ("status", "level", "q", "assignee", "entity")
                    },
                )
                changed = tocsin.alerts.change_where(
                    tx, query.wanted(), **wish, by=visit.principal.name, now=visit.now
                )
            else:
                ids = [value for value in visit.form.getlist("id") if isinstance(value, str)]
                if not ids:
                    raise Refused("Mark at least one alert first.")
                changed = tocsin.alerts.change(
                    tx, ids, **wish, by=visit.principal.name, now=visit.now
                )
        except TriageError as error:
            raise Refused(str(error)) from error
        visit.note(tx, f"alerts.{deed}", f"{len(changed)} alerts", visit.text("reason"))
    return visit.done(f"{_DEEDS[deed]} {len(changed):,} alert{'s' if len(changed) != 1 else ''}.")


_DEEDS = {"acknowledge": "Acknowledged", "assign": "Assigned", "close": "Closed"}


def _bulk_wish(visit: Visit, deed: str) -> dict[str, Any]:
    if deed == "acknowledge":
        return {"status": AlertStatus.ACKNOWLEDGED}
    if deed == "assign":
        return {"assignee": visit.required("to", "the person to assign to")}
    if deed == "close":
        return {
            "status": AlertStatus.CLOSED,
            "disposition": choice(Disposition, visit.text("disposition")),
            "reason": visit.required("reason", "the reason for closing"),
        }
    raise Refused("Choose what to do with the marked alerts.")
