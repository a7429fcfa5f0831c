"""Who looks after a source: set by people, and written down."""

from datetime import datetime

from tocsin.app.wiring import Tocsin


def own_source(house: Tocsin, source: str, owner: str, *, by: str, now: datetime) -> None:
    """Set the owner of a source ("" for nobody); raises IngestError for an unknown one."""
    with house.state.begin() as tx:
        house.sources.set_owner(tx, source, owner)
        house.audit.append(
            tx,
            actor=by,
            action="sources.owner",
            subject=source,
            detail=owner.strip() or "nobody",
            outcome="done",
            now=now,
        )
