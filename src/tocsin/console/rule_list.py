"""The list of rules as its address asks for it: which rules, in which order, with what beside them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tocsin.app.finding_days import FindingDays
from tocsin.console.choosing import choice
from tocsin.console.sparkline import Sparkline, sparkline
from tocsin.console.visit import with_query
from tocsin.detect.overlay import RUNNING, LifeState, Overlay
from tocsin.detect.reach import Obstacle, Reach
from tocsin.model.rule import Rule, RuleKind, RuleProblem
from tocsin.model.severity import Level
from tocsin.triage.attack import tactics_of

PAGE_ROWS = 60
ABLE, UNABLE = "can", "cannot"
OBSTACLES = {
    Obstacle.NO_LANE: ("no-connector", "No connector"),
    Obstacle.NO_SOURCE: ("no-source", "No source"),
    Obstacle.UNSEEN_FIELD: ("field", "Field never seen"),
    Obstacle.BASE: ("base", "Its base can't"),
}
"""How the address names an obstacle, and how the page does."""
_BY_NAME = {name: obstacle for obstacle, (name, _) in OBSTACLES.items()}
FILTERS = ("q", "health", "state", "level", "product", "tactic", "technique", "kind")
"""The parts of the address that leave rules out."""
SORTS = ("level", "title", "state", "health", "findings", "kind", "looks-at")
_DOWN_FIRST = frozenset({"level", "findings", "health"})
_STATE_ORDER = {state: place for place, state in enumerate(LifeState)}


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule of the list. ``findings`` None: not counted.

    ``reach`` None: it needs no events, or does not run.
    """

    rule: Rule
    state: LifeState
    reach: Reach | None
    exceptions: int = 0
    findings: Sparkline | None = None

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
class RulesState:
    """What the address of the list holds; ``start`` is the place of the first row shown."""

    q: str = ""
    health: str = ""
    state: str = ""
    level: str = ""
    product: str = ""
    tactic: str = ""
    technique: str = ""
    kind: str = ""
    sort: str = ""
    start: int = 0
    tab: str = "rules"

    def address(self, path: str = "/rules", **changes: object) -> str:
        query: dict[str, object] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        query |= changes
        if query["tab"] == "rules":
            query["tab"] = ""
        return with_query(path, {**query, "start": query["start"] or ""})

    @property
    def narrows(self) -> bool:
        """True when it leaves rules out."""
        return any(getattr(self, name) for name in FILTERS)

    @property
    def order(self) -> tuple[str, bool]:
        """What the list is sorted by, and whether the largest comes first."""
        name = self.sort.removeprefix("-")
        if name not in SORTS:
            return "level", True
        return name, (name in _DOWN_FIRST) != self.sort.startswith("-")

    def sorted_by(self, name: str) -> str:
        """The address of the list sorted by ``name``; the other way round when it is already."""
        is_now = self.order[0] == name and not self.sort.startswith("-")
        sort = f"-{name}" if is_now else name
        return self.address(sort="" if sort == "level" else sort, start=0)

    def aria_sort(self, name: str) -> str:
        by, is_down = self.order
        return "none" if by != name else "descending" if is_down else "ascending"

    def accepts(self, row: RuleRow) -> bool:
        """True when the rule meets every part that is set."""
        rule = row.rule
        level, kind = choice(Level, self.level), choice(RuleKind, self.kind)
        state = choice(LifeState, self.state)
        return (
            (level is None or rule.level is level)
            and (not self.product or (rule.logsource.product or "any") == self.product)
            and (kind is None or rule.kind is kind)
            and (state is None or row.state is state)
            and self._accepts_health(row)
            and (not self.tactic or self.tactic in tactics_of(rule.tags))
            and (not self.technique or _has_technique(rule, self.technique))
            and self._accepts_text(rule)
        )

    def _accepts_health(self, row: RuleRow) -> bool:
        if self.health in (ABLE, UNABLE):
            return row.runs and row.can_match == (self.health == ABLE)
        obstacle = _BY_NAME.get(self.health)
        has_it = row.reach is not None and row.reach.obstacle is obstacle
        return obstacle is None or (row.runs and has_it)

    def _accepts_text(self, rule: Rule) -> bool:
        if not self.q:
            return True
        parts = (rule.title, rule.id, *rule.tags, *rule.techniques, rule.path)
        text = " ".join(parts).lower()
        return all(word in text for word in self.q.lower().split())


def _has_technique(rule: Rule, technique: str) -> bool:
    """True for the technique itself and, asked for one, its sub-techniques."""
    asked = technique.upper()
    return any(one == asked or one.startswith(f"{asked}.") for one in rule.techniques)


def rows_of(
    rules: Iterable[Rule], overlays: Mapping[str, Overlay], verdicts: Mapping[str, Reach]
) -> list[RuleRow]:
    """Every rule with its state (active when nobody has decided on it) and its verdict."""
    return [_row(rule, overlays.get(rule.id), verdicts.get(rule.id)) for rule in rules]


def _row(rule: Rule, overlay: Overlay | None, reach: Reach | None) -> RuleRow:
    if overlay is None:
        return RuleRow(rule, LifeState.ACTIVE, reach)
    return RuleRow(rule, overlay.state, reach, len(overlay.exceptions))


def in_order(rows: Iterable[RuleRow], query: RulesState, days: FindingDays) -> list[RuleRow]:
    """The rows as the address sorts them; equal ones by level and title."""
    found = sorted(
        rows, key=lambda row: (-row.rule.level.rank, row.rule.title.lower(), row.rule.id)
    )
    by, is_down = query.order
    keys = {
        "level": lambda row: row.rule.level.rank,
        "title": lambda row: row.rule.title.lower(),
        "state": lambda row: _STATE_ORDER[row.state],
        "health": lambda row: (not row.can_match, row.obstacle),
        "findings": lambda row: days.total(row.rule.id),
        "kind": lambda row: row.rule.kind.value,
        "looks-at": lambda row: row.looks_at,
    }
    return sorted(found, key=keys[by], reverse=is_down)


def with_findings(row: RuleRow, days: FindingDays) -> RuleRow:
    """The row with its picture, when the days are counted."""
    counts = days.of(row.rule.id)
    if not counts:
        return row
    return replace(row, findings=sparkline(counts))


def health_counts(rows: Iterable[RuleRow]) -> list[tuple[str, str, int]]:
    """What the health filter offers: name in the address, words, how many."""
    counted = Counter(row.reach.obstacle if row.reach else None for row in rows if row.runs)
    able = counted.pop(None, 0)
    offered = [(ABLE, "Can match", able), (UNABLE, "Cannot match", counted.total())]
    offered += [
        (name, f"… {words.lower()}", counted[obstacle])
        for obstacle, (name, words) in OBSTACLES.items()
        if counted[obstacle]
    ]
    return offered


def state_counts(rows: Iterable[RuleRow]) -> list[tuple[LifeState, int]]:
    """Every state with how many rules are in it."""
    counted = Counter(row.state for row in rows)
    return [(state, counted[state]) for state in LifeState]


def problem_has(problem: RuleProblem, words: Iterable[str]) -> bool:
    """True when the problem names every one of ``words`` (lower case)."""
    text = f"{problem.path} {problem.title} {problem.reason} {problem.rule_id}".lower()
    return all(word in text for word in words)
