"""The audit chain, read."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from tocsin.api.guard import House, needs
from tocsin.app.plain import as_json, page_json
from tocsin.model.principal import Permission

router = APIRouter(
    prefix="/api/v1/audit", tags=["audit"], dependencies=[Depends(needs(Permission.AUDIT_READ))]
)


@router.get("", summary="List audit entries")
def entries(
    house: House, cursor: str | None = None, size: Annotated[int, Query(ge=1, le=1000)] = 100
) -> dict[str, Any]:
    """Entries, latest first."""
    with house.state.read() as tx:
        return page_json("entries", house.audit.page(tx, cursor=cursor, size=size))


@router.get("/verify", summary="Check the chain")
def verify(house: House) -> dict[str, Any]:
    """Whether every link holds, and where the first broken one is."""
    with house.state.read() as tx:
        return dict(as_json(house.audit.verify(tx)))
