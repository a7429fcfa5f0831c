"""The asset register: what we run, which services it carries, and who answers for it."""

import ipaddress
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from tocsin.app.settings.config_errors import ConfigError
from tocsin.model.asset import Asset, BusinessService
from tocsin.model.entity import Entity, EntityKind


class AssetRegister:
    """Assets and services by name and by address; read from ``assets.yml``."""

    def __init__(
        self, assets: Iterable[Asset] = (), services: Iterable[BusinessService] = ()
    ) -> None:
        """Later assets of the same name win."""
        self._assets = {asset.name.lower(): asset for asset in assets}
        self._services = {service.name: service for service in services}
        self._by_address: dict[str, Asset] = {}
        for asset in self._assets.values():
            for address in asset.addresses:
                self._by_address[address] = asset

    def asset(self, name: str) -> Asset | None:
        """The asset of that name; a host may be given with its domain."""
        lowered = name.lower()
        return self._assets.get(lowered) or self._assets.get(lowered.partition(".")[0])

    def by_address(self, address: str) -> Asset | None:
        return self._by_address.get(address)

    def within(self, network: str) -> list[Asset]:
        """Every asset with an address inside ``network`` (CIDR or single address)."""
        net = ipaddress.ip_network(network, strict=False)
        found = {
            asset.name: asset
            for address, asset in self._by_address.items()
            if ipaddress.ip_address(address) in net
        }
        return sorted(found.values(), key=lambda asset: asset.name)

    def service(self, name: str) -> BusinessService | None:
        return self._services.get(name)

    def services_of(self, asset: Asset) -> list[BusinessService]:
        """The services an asset carries, and those that depend on them, most critical first."""
        wanted = set(asset.services)
        grew = True
        while grew:
            dependents = {
                service.name
                for service in self._services.values()
                if wanted & set(service.depends_on)
            }
            grew = not dependents <= wanted
            wanted |= dependents
        known = [self._services[name] for name in wanted if name in self._services]
        return sorted(known, key=lambda service: (service.tier, service.name))

    def tier_of(self, entity: Entity) -> int | None:
        """The tier (0 most critical) of the asset an entity stands for; None when unknown."""
        found = (
            self.by_address(entity.name)
            if entity.kind is EntityKind.ADDRESS
            else self.asset(entity.name)
        )
        return found.tier if found else None

    def all(self) -> Sequence[Asset]:
        return sorted(self._assets.values(), key=lambda asset: asset.name)

    def services(self) -> Sequence[BusinessService]:
        return sorted(self._services.values(), key=lambda service: service.name)


def load_assets(path: Path) -> AssetRegister:
    """Read ``assets.yml`` (keys ``assets`` and ``services``); an absent file is an empty register."""
    if not path.exists():
        return AssetRegister()
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        assets = TypeAdapter(list[Asset]).validate_python(content.get("assets", []))
        services = TypeAdapter(list[BusinessService]).validate_python(content.get("services", []))
    except (yaml.YAMLError, ValidationError, AttributeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a valid asset list: {error}") from error
    return AssetRegister(assets, services)


def dump_assets(path: Path, assets: Iterable[Asset], services: Iterable[BusinessService]) -> None:
    """Write ``assets.yml`` in the form ``load_assets`` reads."""
    content = {
        "assets": TypeAdapter(list[Asset]).dump_python(list(assets), mode="json"),
        "services": TypeAdapter(list[BusinessService]).dump_python(list(services), mode="json"),
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
