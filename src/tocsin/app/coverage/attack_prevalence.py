"""How much ATT&CK's shipped figures know a technique to be used, and which log sources show it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import yaml

from tocsin.app.home.shipped import CONTENT
from tocsin.model.lane import LogSource

_FOLDER = CONTENT / "attack"


@dataclass(frozen=True, slots=True)
class Prevalence:
    """Who uses one technique: counts of ATT&CK's groups, software and campaigns.

    ``shown`` are keys of ``log_sources``; ``tactics`` those of that version of ATT&CK.
    """

    groups: int
    software: int
    campaigns: int
    tactics: tuple[str, ...]
    shown: tuple[str, ...]

    @property
    def uses(self) -> int:
        return self.groups + self.software + self.campaigns


@dataclass(frozen=True, slots=True)
class KnownSource:
    """A log source by what Sigma rules ask for, and what people call its events."""

    asks: LogSource
    words: str


@dataclass(frozen=True, slots=True)
class AttackFigures:
    """Figures by technique, counted from ATT&CK ``version``."""

    version: str
    techniques: Mapping[str, Prevalence]

    @property
    def most_uses(self) -> int:
        return max(one.uses for one in self.techniques.values())


@cache
def attack_figures() -> AttackFigures:
    """What ships in ``content/attack/prevalence.yml``."""
    found = yaml.load((_FOLDER / "prevalence.yml").read_text("utf-8"), yaml.CSafeLoader)
    techniques = {
        one: Prevalence(
            *(facts["groups"], facts["software"], facts["campaigns"]),
            *(tuple(facts["tactics"]), tuple(facts["shown"])),
        )
        for one, facts in found["techniques"].items()
    }
    return AttackFigures(found["attack"], MappingProxyType(techniques))


@cache
def successors() -> Mapping[str, str]:
    """Ids that ATT&CK has replaced, with the id each is known by now."""
    found = yaml.load((_FOLDER / "renumbered.yml").read_text("utf-8"), yaml.CSafeLoader)
    return MappingProxyType({old: new for new, before in found.items() for old in before})


@cache
def log_sources() -> Mapping[str, KnownSource]:
    """What ships in ``content/attack/log_sources.yml``, by key."""
    found = yaml.load((_FOLDER / "log_sources.yml").read_text("utf-8"), yaml.CSafeLoader)
    return MappingProxyType(
        {key: KnownSource(LogSource(**one["asks"]), one["words"]) for key, one in found.items()}
    )
