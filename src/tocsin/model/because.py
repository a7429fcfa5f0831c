"""Reasons: the addends that make a number, so that no score stands without its because."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Addend:
    """One part of a score: what it is, how many points it adds, and what it rests on."""

    reason: str
    points: float
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """A score 0-100 and the addends that sum to it (after bounding)."""

    value: float
    addends: tuple[Addend, ...] = ()
