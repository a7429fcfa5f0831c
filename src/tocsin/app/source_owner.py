"""Who looks after a source: set by people, and written down."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from tocsin.app.wiring import Tocsin
from tocsin.model.principal import AuditEntry

_ACTION = "sources.owner"
_SHOWN = 10


def own_source(
    house: Tocsin,
    source: str,
    owner: str,
    *,
    by: str,
    now: datetime,
    reason: str = "",
    tenant: str = "default",
) -> None:
    """Set the owner of a source ("" for nobody); raises IngestError for an unknown one."""
    name = owner.strip() or "nobody"
    with house.state.begin() as tx:
        house.sources.set_owner(tx, source, owner, tenant)
        house.audit.append(
            tx,
            actor=by,
            action=_ACTION,
            subject=source,
            detail=f"{name}: {reason.strip()}" if reason.strip() else name,
            outcome="done",
            now=now,
        )


def owner_history(house: Tocsin, tx: Connection, source: str) -> Sequence[AuditEntry]:
    """Who was named when and why, the latest first."""
    return house.audit.about(tx, _ACTION, source, _SHOWN)
