"""ATT&CK coverage as a heat map: tactics as columns, techniques as cells of four strengths."""

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.app.coverage.attack_facts import OTHER
from tocsin.app.coverage.rule_coverage import Covered
from tocsin.triage.attack import TACTICS

STRENGTHS = {
    "seen": "Seen: alerts came of it",
    "tested": "Tested: its rules can match and carry tests",
    "data": "Can match what comes in",
    "blind": "Enabled, but cannot match",
    "none": "No rule in force",
}
"""From the strongest down, and what each says."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A technique in one tactic; ``steps`` say without color how far it has come."""

    covered: Covered
    strength: str

    @property
    def steps(self) -> tuple[bool, bool, bool, bool]:
        """Enabled, can match, tested, seen."""
        one = self.covered
        return bool(one.enabled), bool(one.data), bool(one.tested), bool(one.seen)

    @property
    def words(self) -> str:
        """The cell in one line, for those who do not see it."""
        one = self.covered
        return (
            f"{one.enabled} enabled, {one.data} can match, {one.tested} tested, {one.seen} alerts"
        )


@dataclass(frozen=True, slots=True)
class Column:
    """A tactic with its techniques by id, sub-techniques below their technique."""

    tactic: str
    title: str
    cells: tuple[Cell, ...]

    @property
    def able(self) -> int:
        """How many of its techniques at least one rule can find."""
        return sum(bool(cell.covered.data) for cell in self.cells)


def columns_of(techniques: Iterable[Covered]) -> list[Column]:
    """The tactics that some technique belongs to, in kill-chain order."""
    listed = sorted(techniques, key=lambda one: one.technique)
    found = []
    for tactic, title in {**TACTICS, OTHER: "No tactic named"}.items():
        cells = tuple(Cell(one, strength_of(one)) for one in listed if tactic in one.tactics)
        if cells:
            found.append(Column(tactic, title, cells))
    return found


def strength_of(one: Covered) -> str:
    """The strongest thing that can be said of a technique."""
    if one.seen:
        return "seen"
    if one.data:
        return "tested" if one.tested else "data"
    return "blind" if one.enabled else "none"
