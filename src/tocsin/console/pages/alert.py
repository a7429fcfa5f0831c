"""One alert on a page of its own, and what is done to it."""

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Connection
from starlette.responses import Response

from tocsin.console.alert_view import alert_view
from tocsin.console.choosing import choice
from tocsin.console.visit import Missing, Needs, Refused, Visit
from tocsin.model.alert import Alert, AlertStatus, Disposition
from tocsin.model.principal import Permission
from tocsin.respond.errors import RespondError
from tocsin.respond.target import network_target
from tocsin.triage.alerts import TriageError

router = APIRouter(prefix="/alerts")
Reader = Annotated[Visit, Depends(Needs(Permission.ALERTS_READ))]
Writer = Annotated[Visit, Depends(Needs(Permission.ALERTS_WRITE))]
Requester = Annotated[Visit, Depends(Needs(Permission.RESPONSE_REQUEST))]


@router.get("/{alert_id}")
def alert(visit: Reader, alert_id: str) -> Response:
    return visit.page("alert.html", view=alert_view(visit, alert_id))


@router.post("/{alert_id}/acknowledge")
def acknowledge(visit: Writer, alert_id: str) -> Response:
    """Take the alert on; it is assigned to who acknowledges it first."""
    _change(visit, alert_id, "acknowledge", status=AlertStatus.ACKNOWLEDGED)
    return visit.done("Acknowledged and assigned to you.")


@router.post("/{alert_id}/close")
def close(visit: Writer, alert_id: str) -> Response:
    """Close with what it turned out to be and why."""
    disposition = choice(Disposition, visit.text("disposition"))
    if disposition is None:
        raise Refused("Please say what the alert turned out to be.")
    reason = visit.required("reason", "the reason for closing")
    _change(
        visit, alert_id, "close", status=AlertStatus.CLOSED, disposition=disposition, reason=reason
    )
    return visit.done("Closed.")


@router.post("/{alert_id}/reopen")
def reopen(visit: Writer, alert_id: str) -> Response:
    """Take a closing back, with the reason."""
    reason = visit.required("reason", "the reason for opening it again")
    _change(visit, alert_id, "reopen", status=AlertStatus.NEW, reason=reason)
    return visit.done("Open again.")


@router.post("/{alert_id}/contain")
def contain(visit: Requester, alert_id: str) -> Response:
    """Start the containment playbook for an address of the alert; a case is opened if none is."""
    tocsin = visit.tocsin
    try:
        target = network_target(visit.required("target", "the address to contain"))
        lease_s = int(visit.required("lease_s", "how long it shall hold"))
        with tocsin.state.begin() as tx:
            found = _known(visit, tx, alert_id)
            case_id = found.case_id or _open_case(visit, tx, found)
        run = tocsin.response.request(
            playbook_id=visit.required("playbook", "the playbook to start"),
            case_id=case_id,
            target=target,
            lease_s=lease_s,
            by=visit.principal,
            now=visit.now,
        )
    except (RespondError, ValueError) as error:
        raise Refused(str(error)) from error
    return visit.done(f"Started: {run.playbook_name}.", to=f"/runs/{run.id}")


def _open_case(visit: Visit, tx: Connection, alert: Alert) -> str:
    if not visit.may(Permission.CASES_WRITE.value):
        raise Refused("Containment belongs to a case; ask someone who may open one.")
    title = f"{alert.rule_title} on {alert.entity.name}"
    opened = visit.tocsin.cases.open(
        tx, title=title[:300], alerts=[alert], by=visit.principal.name, now=visit.now
    )
    visit.tocsin.alerts.link_case(tx, [alert.id], opened.id, visit.now)
    visit.note(tx, "cases.open", opened.id)
    return opened.id


def _change(
    visit: Visit,
    alert_id: str,
    deed: str,
    *,
    status: AlertStatus,
    disposition: Disposition | None = None,
    reason: str = "",
) -> None:
    with visit.tocsin.state.begin() as tx:
        _known(visit, tx, alert_id)
        try:
            visit.tocsin.alerts.change(
                tx,
                [alert_id],
                status=status,
                disposition=disposition,
                reason=reason,
                by=visit.principal.name,
                now=visit.now,
            )
        except TriageError as error:
            raise Refused(str(error)) from error
        visit.note(tx, f"alerts.{deed}", alert_id, reason)


def _known(visit: Visit, tx: Connection, alert_id: str) -> Alert:
    found = visit.tocsin.alerts.get(tx, alert_id)
    if found is None:
        raise Missing(f"There is no alert {alert_id[:80]}.")
    return found
