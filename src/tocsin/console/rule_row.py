"""One rule as the lists show it: its state, health, origin and cost, and what narrows lists offer."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tocsin.app.explaining.finding_days import FindingDays
from tocsin.app.rules.rule_origin import ELSEWHERE, OWN, SHIPPED, origin_of
from tocsin.console.sparkline import Sparkline, sparkline
from tocsin.detect.explaining.reach import Obstacle, Reach
from tocsin.detect.rules.overlay import RUNNING, LifeState, Overlay
from tocsin.model.rule import Rule, RuleProblem

ABLE, UNABLE, PAUSED, NOTED = "can", "cannot", "budget", "noted"
OBSTACLES = {
    Obstacle.NO_LANE: ("no-connector", "No connector"),
    Obstacle.NO_SOURCE: ("no-source", "No source"),
    Obstacle.UNSEEN_FIELD: ("field", "Field never seen"),
    Obstacle.BASE: ("base", "Its base can't"),
}
"""How the address names an obstacle, and how the page does."""
OBSTACLE_BY_NAME = {name: obstacle for obstacle, (name, _) in OBSTACLES.items()}
ORIGINS = {SHIPPED: "Shipped", OWN: "Own rules", ELSEWHERE: "Other folders"}
"""Where rules come from that are of no pack, and how the page says it."""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule. ``findings`` None: not counted.

    ``reach`` None: it needs no events, or does not run. ``cpu_s`` was spent on it since the
    start; ``notes`` say what of it does not work while it runs.
    """

    rule: Rule
    state: LifeState
    reach: Reach | None
    exceptions: int = 0
    findings: Sparkline | None = None
    cpu_s: float = 0.0
    is_paused: bool = False
    notes: tuple[str, ...] = ()
    origin: str = ELSEWHERE

    @property
    def runs(self) -> bool:
        return self.state in RUNNING

    @property
    def can_match(self) -> bool:
        return self.reach is None or self.reach.can_match

    @property
    def obstacle(self) -> str:
        """The obstacle in two words, empty when there is none."""
        if self.reach is None or self.reach.obstacle is None:
            return ""
        return OBSTACLES[self.reach.obstacle][1]

    @property
    def looks_at(self) -> str:
        """The log source; empty when the rule names none."""
        source = self.rule.logsource
        return " / ".join(
            part for part in (source.product, source.category, source.service) if part
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the rules that run, by rule id, at one moment."""

    overlays: Mapping[str, Overlay] = field(default_factory=dict)
    verdicts: Mapping[str, Reach] = field(default_factory=dict)
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    paused: frozenset[str] = frozenset()
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)


def rows_of(rules: Iterable[Rule], standing: Standing, home: Path) -> list[RuleRow]:
    """Every rule with its state (active when nobody has decided on it) and its verdict."""
    return [_row(rule, standing, home) for rule in rules]


def _row(rule: Rule, standing: Standing, home: Path) -> RuleRow:
    overlay = standing.overlays.get(rule.id)
    return RuleRow(
        rule,
        overlay.state if overlay is not None else LifeState.ACTIVE,
        standing.verdicts.get(rule.id),
        len(overlay.exceptions) if overlay is not None else 0,
        cpu_s=standing.cpu_s.get(rule.id, 0.0),
        is_paused=rule.id in standing.paused,
        notes=tuple(standing.notes.get(rule.id, ())),
        origin=origin_of(rule.path, home),
    )


def notes_of(problems: Iterable[RuleProblem]) -> dict[str, list[str]]:
    """What is wrong with rules, by their ids; with the line in the file where one is known."""
    found: dict[str, list[str]] = {}
    for one in problems:
        if one.rule_id:
            place = f"line {one.line}: " if one.line else ""
            found.setdefault(one.rule_id, []).append(f"{place}{one.reason}")
    return found


def with_findings(row: RuleRow, days: FindingDays) -> RuleRow:
    """The row with its picture, when the days are counted."""
    counts = days.of(row.rule.id)
    if not counts:
        return row
    return replace(row, findings=sparkline(counts))


def health_counts(rows: Sequence[RuleRow]) -> list[tuple[str, str, int]]:
    """What the health filter offers: name in the address, words, how many."""
    running = [row for row in rows if row.runs]
    counted = Counter(row.reach.obstacle if row.reach else None for row in running)
    able = counted.pop(None, 0)
    offered = [(ABLE, "Can match", able), (UNABLE, "Cannot match", counted.total())]
    offered += [
        (name, f"… {words.lower()}", counted[obstacle])
        for obstacle, (name, words) in OBSTACLES.items()
        if counted[obstacle]
    ]
    told = ((PAUSED, "Over budget", "is_paused"), (NOTED, "With a problem", "notes"))
    for name, words, of in told:
        number = sum(bool(getattr(row, of)) for row in running)
        if number:
            offered.append((name, words, number))
    return offered


def state_counts(rows: Iterable[RuleRow]) -> list[tuple[LifeState, int]]:
    """Every state with how many rules are in it."""
    counted = Counter(row.state for row in rows)
    return [(state, counted[state]) for state in LifeState]


def origin_counts(rows: Iterable[RuleRow]) -> list[tuple[str, str, int]]:
    """What the origin filter offers: name in the address, words, how many."""
    counted = Counter(row.origin for row in rows)
    return [(name, ORIGINS.get(name, f"Pack {name}"), counted[name]) for name in sorted(counted)]
