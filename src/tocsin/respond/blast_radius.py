"""What a containment would reach: assets, the services they carry, everything that needs those."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tocsin.model.asset import Asset, BusinessService
from tocsin.respond.target import Network


class AssetDirectory(Protocol):
    """What response asks of the asset register."""

    def within(self, network: str) -> Sequence[Asset]:
        """Every asset with an address inside a network or equal to an address."""
        ...

    def services_of(self, asset: Asset) -> Sequence[BusinessService]:
        """The services an asset carries and all that depend on them, most critical first."""
        ...


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """Assets by name; services most critical first. ``users`` counts each service once.

    People who use two of the services count twice, so ``users`` is an upper bound.
    """

    assets: tuple[Asset, ...]
    services: tuple[BusinessService, ...]
    users: int


def blast_radius(network: Network, directory: AssetDirectory) -> BlastRadius:
    assets = sorted(directory.within(str(network)), key=lambda asset: asset.name)
    services: dict[str, BusinessService] = {}
    for asset in assets:
        services.update({service.name: service for service in directory.services_of(asset)})
    ordered = sorted(services.values(), key=lambda service: (service.tier, service.name))
    own_users = {user for asset in assets for user in asset.users}
    users = max(sum(service.users for service in ordered), len(own_users))
    return BlastRadius(tuple(assets), tuple(ordered), users)
