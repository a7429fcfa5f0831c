"""What the alert panel tells: what happened, why we think so, so what, and what next."""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.console.counting import Counting, counting_of
from tocsin.console.matching import ShownField, all_fields, in_words, matched_fields
from tocsin.console.visit import Missing, Visit
from tocsin.model.alert import Alert, Exemplar
from tocsin.model.asset import Asset, BusinessService
from tocsin.model.case import Case
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.rule import Rule
from tocsin.respond.playbook import Playbook
from tocsin.triage.alert_changes import AlertChange
from tocsin.triage.attack import tactics_of

_OTHERS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ShownExemplar:
    """One event of the alert, with the reason in words and its fields made ready."""

    exemplar: Exemplar
    because: tuple[str, ...]
    matched: list[ShownField]
    fields: list[ShownField]


@dataclass(frozen=True, slots=True)
class TouchedAsset:
    """An asset of ours the alert is about, and the services that would feel it."""

    entity: Entity
    asset: Asset
    services: Sequence[BusinessService]


@dataclass(frozen=True, slots=True)
class AlertView:
    """All the panel shows of one alert."""

    alert: Alert
    rule: Rule | None
    exemplars: list[ShownExemplar]
    touched: list[TouchedAsset]
    tactics: tuple[str, ...]
    addresses: list[Entity]
    other_alerts: list[Alert]
    case: Case | None
    history: list[AlertChange]
    playbooks: list[Playbook]
    counting: Counting | None


def alert_view(visit: Visit, alert_id: str) -> AlertView:
    """The view of one alert; raises Missing when there is none of that id."""
    tocsin = visit.tocsin
    with tocsin.state.read() as tx:
        alert = tocsin.alerts.get(tx, alert_id)
        if alert is None:
            raise Missing(f"There is no alert {alert_id[:80]}.")
        risk = tocsin.risk.get(tx, alert.entity.key, alert.tenant)
        others = [other for other in (risk.alert_ids if risk else ()) if other != alert_id]
        other_alerts = tocsin.alerts.get_many(tx, others[:_OTHERS_SHOWN])
        case = tocsin.cases.get(tx, alert.case_id) if alert.case_id else None
        history = tocsin.alerts.history(tx, alert_id)
        verdicts = tocsin.alerts.verdicts(tx, alert_id)
    entities = (alert.entity, *alert.related)
    return AlertView(
        alert=alert,
        rule=tocsin.rule(alert.rule_id),
        exemplars=[_shown(exemplar) for exemplar in reversed(alert.exemplars)],
        touched=touched_assets(visit, entities),
        tactics=tactics_of(alert.tags),
        addresses=[entity for entity in entities if entity.kind is EntityKind.ADDRESS],
        other_alerts=other_alerts,
        case=case,
        history=history,
        playbooks=list(tocsin.response.playbooks()),
        counting=counting_of(visit, alert, verdicts),
    )


def touched_assets(visit: Visit, entities: Sequence[Entity]) -> list[TouchedAsset]:
    """The assets of ours among ``entities``, each once."""
    register = visit.tocsin.assets
    found: dict[str, TouchedAsset] = {}
    for entity in entities:
        asset = (
            register.by_address(entity.name)
            if entity.kind is EntityKind.ADDRESS
            else register.asset(entity.name)
        )
        if asset is not None and asset.name not in found:
            found[asset.name] = TouchedAsset(entity, asset, register.services_of(asset))
    return list(found.values())


def _shown(exemplar: Exemplar) -> ShownExemplar:
    return ShownExemplar(
        exemplar,
        tuple(dict.fromkeys(in_words(match) for match in exemplar.matched)),
        matched_fields(exemplar),
        all_fields(exemplar),
    )
