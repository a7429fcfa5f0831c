"""The list of rules as its address asks for it: which rules, in which order."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tocsin.app.explaining.finding_days import FindingDays
from tocsin.console.choosing import choice
from tocsin.console.rule_row import ABLE, NOTED, OBSTACLE_BY_NAME, PAUSED, UNABLE, RuleRow
from tocsin.console.visit import with_query
from tocsin.detect.rules.overlay import LifeState
from tocsin.model.rule import Rule, RuleKind, RuleProblem
from tocsin.model.severity import Level
from tocsin.triage.attack import tactics_of

FILTERS = ("q", "health", "state", "level", "product", "tactic", "technique", "kind", "origin")
"""The parts of the address that leave rules out."""
SORTS = ("level", "title", "state", "health", "findings", "cost", "kind", "looks-at")
_DOWN_FIRST = frozenset({"level", "findings", "health", "cost"})
_STATE_ORDER = {state: place for place, state in enumerate(LifeState)}
_RANK = {level: level.rank for level in Level}
Test = Callable[[RuleRow], bool]


@dataclass(frozen=True, slots=True)
class RulesState:
    """What the address of the list holds; ``cursor`` continues a list."""

    q: str = ""
    health: str = ""
    state: str = ""
    level: str = ""
    product: str = ""
    tactic: str = ""
    technique: str = ""
    kind: str = ""
    origin: str = ""
    sort: str = ""
    cursor: str = ""
    tab: str = "rules"

    def address(self, path: str = "/rules", **changes: object) -> str:
        query: dict[str, object] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        query |= changes
        if query["tab"] == "rules":
            query["tab"] = ""
        return with_query(path, query)

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
        return self.address(sort="" if sort == "level" else sort, cursor="")

    def aria_sort(self, name: str) -> str:
        by, is_down = self.order
        return "none" if by != name else "descending" if is_down else "ascending"

    def chosen(self, rows: Iterable[RuleRow]) -> list[RuleRow]:
        """The rows that meet every part that is set; parts it doesn't know do not narrow."""
        tests = self._tests()
        return [row for row in rows if all(test(row) for test in tests)]

    def _tests(self) -> list[Test]:
        level, kind = choice(Level, self.level), choice(RuleKind, self.kind)
        state, words = choice(LifeState, self.state), self.q.lower().split()
        tests: list[tuple[object, Test]] = [
            (state, lambda row: row.state is state),
            (level, lambda row: row.rule.level is level),
            (kind, lambda row: row.rule.kind is kind),
            (self.origin, lambda row: row.origin == self.origin),
            (self.product, lambda row: (row.rule.logsource.product or "any") == self.product),
            (self.health, _health_test(self.health)),
            (self.tactic, lambda row: self.tactic in tactics_of(row.rule.tags)),
            (self.technique, lambda row: _has_technique(row.rule, self.technique)),
            (words, lambda row: _has_words(row.rule, words)),
        ]
        return [test for is_set, test in tests if is_set]


def _health_test(wanted: str) -> Test:
    obstacle = OBSTACLE_BY_NAME.get(wanted)
    if obstacle is not None:
        return lambda row: row.runs and row.reach is not None and row.reach.obstacle is obstacle
    tests: dict[str, Test] = {
        ABLE: lambda row: row.runs and row.can_match,
        UNABLE: lambda row: row.runs and not row.can_match,
        PAUSED: lambda row: row.runs and row.is_paused,
        NOTED: lambda row: row.runs and bool(row.notes),
    }
    return tests.get(wanted, lambda _: True)


def _has_words(rule: Rule, words: Iterable[str]) -> bool:
    parts = (rule.title, rule.id, *rule.tags, *rule.techniques, rule.path)
    text = " ".join(parts).lower()
    return all(word in text for word in words)


def _has_technique(rule: Rule, technique: str) -> bool:
    """True for the technique itself and, asked for one, its sub-techniques."""
    asked = technique.upper()
    return any(one == asked or one.startswith(f"{asked}.") for one in rule.techniques)


def in_order(rows: Iterable[RuleRow], query: RulesState, days: FindingDays) -> list[RuleRow]:
    """The rows as the address sorts them; equal ones by level and title."""
    found = sorted(
        rows, key=lambda row: (-_RANK[row.rule.level], row.rule.title.lower(), row.rule.id)
    )
    by, is_down = query.order
    keys: dict[str, Callable[[RuleRow], Any]] = {
        "level": lambda row: _RANK[row.rule.level],
        "title": lambda row: row.rule.title.lower(),
        "state": lambda row: _STATE_ORDER[row.state],
        "health": lambda row: (row.is_paused, not row.can_match, bool(row.notes), row.obstacle),
        "findings": lambda row: days.total(row.rule.id),
        "cost": lambda row: row.cpu_s,
        "kind": lambda row: row.rule.kind.value,
        "looks-at": lambda row: row.looks_at,
    }
    return sorted(found, key=keys[by], reverse=is_down)


def problem_has(problem: RuleProblem, words: Iterable[str]) -> bool:
    """True when the problem names every one of ``words`` (lower case)."""
    text = f"{problem.path} {problem.title} {problem.reason} {problem.rule_id}".lower()
    return all(word in text for word in words)
