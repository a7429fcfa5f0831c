"""What is known of one entity: its risk with addends, its alerts, its asset and services."""

from dataclasses import dataclass

from tocsin.console.alert_view import TouchedAsset, touched_assets
from tocsin.console.visit import Missing, Visit
from tocsin.model.alert import Alert, EntityRisk
from tocsin.model.entity import Entity
from tocsin.model.page import Page


@dataclass(frozen=True, slots=True)
class EntityView:
    """All the panel and page of an entity show; ``risk`` is None without open alerts."""

    entity: Entity
    risk: EntityRisk | None
    open_alerts: Page[Alert]
    closed_alerts: Page[Alert]
    touched: list[TouchedAsset]


def entity_view(visit: Visit, key: str) -> EntityView:
    """The view of the entity ``kind:name``; raises Missing when the key names no kind we know."""
    try:
        entity = Entity.from_key(key)
    except ValueError as error:
        raise Missing(f"There is no kind of entity in {key[:80]!r}.") from error
    tocsin = visit.tocsin
    with tocsin.state.read() as tx:
        risk = tocsin.risk.get(tx, key)
        return EntityView(
            entity=entity,
            risk=risk,
            open_alerts=tocsin.alerts.page(tx, entity_key=key, is_open=True, size=50),
            closed_alerts=tocsin.alerts.page(tx, entity_key=key, is_open=False, size=10),
            touched=touched_assets(visit, [entity]),
        )
