"""The list of cases, and opening one."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.cases.casebook import CaseError
from tocsin.console.choosing import choice
from tocsin.console.paging import PAGE_ROWS
from tocsin.console.panes import attempt
from tocsin.console.visit import Needs, Refused, Visit, with_query
from tocsin.model.alert import Alert
from tocsin.model.case import Case, CaseStatus
from tocsin.model.page import Page
from tocsin.model.principal import Permission
from tocsin.triage.alerts import TriageError

router = APIRouter()
Reader = Annotated[Visit, Depends(Needs(Permission.CASES_READ))]
Writer = Annotated[Visit, Depends(Needs(Permission.CASES_WRITE))]


@dataclass(frozen=True, slots=True)
class CasesState:
    """What the address of the list holds."""

    status: str = ""
    assignee: str = ""
    cursor: str = ""

    def address(self, **changes: str) -> str:
        query = {name: getattr(self, name) for name in self.__dataclass_fields__} | changes
        return with_query("/cases", query)


@router.get("/cases")
def cases(visit: Reader, query: Annotated[CasesState, Depends()]) -> Response:
    tocsin = visit.tocsin

    def read() -> Page[Case]:
        with tocsin.state.read() as tx:
            return tocsin.cases.page(
                tx,
                status=choice(CaseStatus, query.status),
                assignee=query.assignee or None,
                cursor=query.cursor or None,
                size=PAGE_ROWS,
            )

    return visit.page(
        "cases.html",
        query=query,
        cases=attempt("The list of cases", read),
        statuses=list(CaseStatus),
    )


@router.post("/cases")
def open_case(visit: Writer) -> Response:
    """Open a case from marked alerts, or with a title alone; alerts in a case go to that case."""
    tocsin = visit.tocsin
    ids = [value for value in visit.form.getlist("id") if isinstance(value, str)]
    try:
        with tocsin.state.begin() as tx:
            alerts = tocsin.alerts.get_many(tx, ids)
            free = [alert for alert in alerts if not alert.case_id]
            if alerts and not free:
                return visit.done(
                    "These alerts are in a case already.", to=f"/cases/{alerts[0].case_id}"
                )
            title = visit.text("title", limit=300) or _title_of(free)
            opened = tocsin.cases.open(
                tx, title=title, alerts=free, by=visit.principal.name, now=visit.now
            )
            tocsin.alerts.link_case(tx, [alert.id for alert in free], opened.id, visit.now)
            visit.note(tx, "cases.open", opened.id, f"{len(free)} alerts")
    except (CaseError, TriageError) as error:
        raise Refused(str(error)) from error
    return visit.done("Case opened.", to=f"/cases/{opened.id}")


def _title_of(alerts: list[Alert]) -> str:
    if not alerts:
        raise Refused("Please give the case a title, or mark the alerts it is about.")
    worst = max(alerts, key=lambda alert: alert.score.value)
    more = f" and {len(alerts) - 1:,} more" if len(alerts) > 1 else ""
    return f"{worst.rule_title} on {worst.entity.name}{more}"[:300]
