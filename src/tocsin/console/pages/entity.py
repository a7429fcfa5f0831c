"""The page of one entity: risk and its addends, alerts open and closed, asset and services."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.console.entity_view import entity_view
from tocsin.console.panes import attempt
from tocsin.console.visit import Needs, Visit
from tocsin.model.case import Case
from tocsin.model.page import Page
from tocsin.model.principal import Permission

router = APIRouter()
Reader = Annotated[Visit, Depends(Needs(Permission.ALERTS_READ))]


@router.get("/entities/{key:path}")
def entity(visit: Reader, key: str) -> Response:
    view = entity_view(visit, key)

    def read() -> Page[Case]:
        with visit.tocsin.state.read() as tx:
            return visit.tocsin.cases.page(tx, entity_key=key, size=10)

    may_read = visit.may(Permission.CASES_READ.value)
    return visit.page(
        "entity.html", view=view, cases=attempt("Its cases", read) if may_read else None
    )
