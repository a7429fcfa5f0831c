"""Log files that are followed: how far each has been read."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from tocsin.api.guard import House, needs
from tocsin.app.senders.file_following import files_json
from tocsin.ingest.files.file_positions import shown_positions
from tocsin.model.principal import Permission

router = APIRouter(
    prefix="/api/v1/sources",
    tags=["sources"],
    dependencies=[Depends(needs(Permission.SOURCES_READ))],
)


@router.get("/files", summary="Log files that are followed")
def followed_files(
    house: House, source: Annotated[str | None, Query(max_length=300)] = None
) -> dict[str, Any]:
    """Each with its size, how much of it has been taken in (``offset``) and what is ``behind``.

    ``problems`` are files that can't be read, by source and path.
    """
    with house.state.read() as tx:
        positions = shown_positions(tx, source)
    return {"files": files_json(positions), "problems": house.files.problems()}
