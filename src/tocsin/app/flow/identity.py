"""Joins what events name with what we know: an address of an asset of ours is that machine."""

from collections.abc import Callable, Mapping

from tocsin.app.flow.assets import AssetRegister
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.rule import Rule
from tocsin.triage.entities import entities_of

EntitiesOf = Callable[[Rule, Mapping[str, object]], tuple[Entity, ...]]


def entities_with(assets: AssetRegister) -> EntitiesOf:
    """``entities_of``, with the machine put before each address that belongs to it.

    So what a network sensor saw of an address and what the machine itself logged fold on, and
    add up to the risk of, one entity.
    """

    def joined(rule: Rule, ocsf: Mapping[str, object]) -> tuple[Entity, ...]:
        found: dict[Entity, None] = {}
        for entity in entities_of(rule, ocsf):
            if entity.kind is EntityKind.ADDRESS:
                asset = assets.by_address(entity.name)
                if asset is not None:
                    found.setdefault(Entity(EntityKind.HOST, asset.name.lower()))
            found.setdefault(entity)
        return tuple(found)

    return joined
