"""What fills the disk, by source and day, and when it will be full."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from tocsin.api.guard import House, needs
from tocsin.app.storage.storage import storage_now
from tocsin.app.storage.storage_answers import storage_json
from tocsin.model.principal import Permission, Principal

router = APIRouter(prefix="/api/v1/storage", tags=["storage"])

Reader = Annotated[Principal, Depends(needs(Permission.SOURCES_READ))]


@router.get("", summary="Sizes and forecast")
def storage(house: House, reader: Reader) -> dict[str, Any]:
    """Bytes and events by source and by day of intake, the forecast, and what may go.

    ``forecast.full_in_days`` is null when the disk is not full within two years, or when
    ``forecast.is_known`` is false: less than an hour was measured.
    """
    now = datetime.now(UTC)
    return storage_json(storage_now(house.home.folder, house.events, house.retention, now))
