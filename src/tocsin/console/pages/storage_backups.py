"""Storage: a backup now."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.console.visit import Needs, Refused, Visit
from tocsin.model.principal import Permission

router = APIRouter(prefix="/storage/backups")
Administrator = Annotated[Visit, Depends(Needs(Permission.ACCESS_ADMIN))]


@router.post("")
def back_up_now(visit: Administrator) -> Response:
    if not visit.tocsin.safekeeping.ask_for_backup(visit.principal.name):
        raise Refused("No backup was begun: none has a place in the settings, or one is under way.")
    return visit.done("A backup is being made.", to="/storage")
