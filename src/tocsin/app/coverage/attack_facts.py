"""What ATT&CK techniques are called and which tactics they serve: of shipped facts, else of tags."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import yaml

from tocsin.app.home.shipped import CONTENT
from tocsin.triage.attack import TACTICS, tactics_of

OTHER = "other"
"""Stands for the tactic of a technique of which neither facts nor tags name one."""


@cache
def tactics_by_technique() -> Mapping[str, tuple[str, ...]]:
    """The shipped facts: tactics in kill-chain order, by technique id."""
    text = (CONTENT / "attack" / "techniques.yml").read_text(encoding="utf-8")
    by_tactic: Mapping[str, list[str]] = yaml.safe_load(text)["tactics"]
    found: dict[str, list[str]] = {}
    for tactic in TACTICS:
        for technique in by_tactic.get(tactic, ()):
            found.setdefault(technique, []).append(tactic)
    return MappingProxyType({one: tuple(tactics) for one, tactics in found.items()})


@cache
def _names() -> Mapping[str, str]:
    text = (CONTENT / "attack" / "names.yml").read_text(encoding="utf-8")
    return MappingProxyType(yaml.load(text, yaml.CSafeLoader))


def technique_name(technique: str) -> str:
    """What people call the technique (``T1003.003``: ``NTDS``); nothing when it is not known."""
    return _names().get(technique.upper(), "")


def tactics_for(technique: str, tags: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The technique's own tactics, else its parent's, else those among a rule's tags."""
    facts = tactics_by_technique()
    known = facts.get(technique) or facts.get(technique.partition(".")[0])
    return known or tactics_of(tags) or (OTHER,)
