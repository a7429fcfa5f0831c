"""How a statement would be run: its steps, and how much of the store they look at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One operator; those it takes its rows from come after it, one ``depth`` further in.

    ``rows`` is the engine's guess of how many it gives (None: it makes none).
    """

    depth: int
    name: str
    rows: int | None
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SqlPlan:
    """The steps, and the segments (with their rows) that are left of all after pruning."""

    steps: tuple[PlanStep, ...]
    segments: int
    segments_total: int
    rows: int
    rows_total: int
