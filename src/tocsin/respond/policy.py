"""The rules the gate holds to: what is never touched, and the bounds of every containment."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from tocsin.model.asset import Asset
from tocsin.respond.command import first_fault
from tocsin.respond.errors import RespondError
from tocsin.respond.target import Network

Model = TypeVar("Model", bound=BaseModel)


class BadPolicy(RespondError):
    """A policy file that can't be used; nothing is contained until it is put right."""


@dataclass(frozen=True, slots=True)
class NeverTouch:
    """One entry of the never-touch list."""

    name: str
    reason: str
    networks: tuple[Network, ...] = ()
    exact: tuple[Network, ...] = ()
    asset_names: frozenset[str] = frozenset()
    asset_tags: frozenset[str] = frozenset()
    asset_kinds: frozenset[str] = frozenset()

    def covers(self, target: Network) -> bool:
        return target in self.exact or any(_overlap(target, network) for network in self.networks)

    def covers_asset(self, asset: Asset) -> bool:
        return (
            asset.name.lower() in self.asset_names
            or asset.kind in self.asset_kinds
            or not self.asset_tags.isdisjoint(asset.tags)
        )


class Limits(BaseModel):
    """Bounds of every containment; times in seconds, prefixes in bits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shortest_lease_s: int = Field(1, ge=1)
    longest_lease_s: int = Field(7 * 86400, ge=1)
    approval_deadline_s: int = Field(4 * 3600, ge=1)
    shortest_prefix_ipv4: int = Field(24, ge=1, le=32)
    shortest_prefix_ipv6: int = Field(64, ge=1, le=128)
    ask: str = "operations"
    automatic: bool = False
    automatic_longest_lease_s: int = Field(3600, ge=1)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the gate judges by."""

    never_touch: tuple[NeverTouch, ...]
    limits: Limits = field(default_factory=Limits)

    def also_never(self, name: str, reason: str, items: Iterable[str]) -> "Policy":
        """The policy with more addresses, networks or (anything else) asset names added."""
        networks: list[Network] = []
        names: set[str] = set()
        for item in items:
            try:
                networks.append(ipaddress.ip_network(item.strip(), strict=False))
            except ValueError:
                names.add(item.strip().lower())
        entry = NeverTouch(name, reason, tuple(networks), asset_names=frozenset(names))
        return replace(self, never_touch=(*self.never_touch, entry))


def _network(text: str) -> str:
    ipaddress.ip_network(text)
    return text


NetworkText = Annotated[str, AfterValidator(_network)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    reason: str
    networks: list[NetworkText] = []
    exact: list[NetworkText] = []
    asset_names: list[str] = []
    asset_tags: list[str] = []
    asset_kinds: list[str] = []

    def as_never_touch(self) -> NeverTouch:
        return NeverTouch(
            name=self.name,
            reason=self.reason,
            networks=tuple(ipaddress.ip_network(text) for text in self.networks),
            exact=tuple(ipaddress.ip_network(text) for text in self.exact),
            asset_names=frozenset(name.lower() for name in self.asset_names),
            asset_tags=frozenset(self.asset_tags),
            asset_kinds=frozenset(self.asset_kinds),
        )


class _NeverTouchFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    entries: list[_Entry] = Field(min_length=1)


def load_policy(folder: Path) -> Policy:
    """Read ``never-touch.yml`` and ``containment.yml``; raises ``BadPolicy`` naming file and place."""
    listed = _read(folder / "never-touch.yml", _NeverTouchFile)
    limits = _read(folder / "containment.yml", Limits)
    return Policy(tuple(entry.as_never_touch() for entry in listed.entries), limits)


def _read(path: Path, model: type[Model]) -> Model:
    try:
        return model.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadPolicy(f"{path}: can't be read: {error}") from error
    except ValidationError as error:
        raise BadPolicy(f"{path}: {first_fault(error)}") from error


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)
