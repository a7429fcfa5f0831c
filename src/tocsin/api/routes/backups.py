"""How safe the data folder is: its backups, the last check, and a backup now."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from tocsin.api.guard import House, needs
from tocsin.api.problem import Problem
from tocsin.app.plain import as_json
from tocsin.model.principal import Permission, Principal

router = APIRouter(prefix="/api/v1/backups", tags=["storage"])

Administrator = Annotated[Principal, Depends(needs(Permission.ACCESS_ADMIN))]


@router.get("", summary="Backups", dependencies=[Depends(needs(Permission.METRICS_READ))])
def backups(house: House) -> dict[str, Any]:
    """How it went with each place, when the next one is due, what runs now, and the last check.

    A place's list of backups is read by ``tocsin admin backups PLACE``.
    """
    return dict(as_json(house.safekeeping.kept(datetime.now(UTC))))


@router.post("", status_code=202, summary="Back up now")
def back_up_now(house: House, administrator: Administrator) -> dict[str, Any]:
    """In the background; ask for its progress with GET."""
    if not house.settings.backup.target:
        raise Problem(409, "No place for backups is set", "set backup.target in the settings")
    if not house.safekeeping.ask_for_backup(administrator.name):
        raise Problem(409, "A backup is being made already", "ask for its progress with GET")
    return dict(as_json(house.safekeeping.kept(datetime.now(UTC))))
