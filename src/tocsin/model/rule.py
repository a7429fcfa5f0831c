"""A detection rule as people see it, whatever engine runs it."""

from dataclasses import dataclass, field
from enum import StrEnum

from tocsin.model.lane import LogSource
from tocsin.model.severity import Level


class RuleKind(StrEnum):
    """Which engine gives the rule its meaning."""

    SIGMA = "sigma"
    CORRELATION = "correlation"
    ABSENCE = "absence"
    NEW_TERMS = "new_terms"
    INDICATOR = "indicator"
    HEALTH = "health"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule is about. ``techniques`` are ATT&CK ids in upper case (``T1110.001``).

    ``entity_kinds`` is the order in which the rule prefers an entity to fold on (empty: the
    default order); ``questions`` and ``response`` guide the analyst.
    """

    id: str
    title: str
    level: Level
    logsource: LogSource
    kind: RuleKind = RuleKind.SIGMA
    status: str = "experimental"
    description: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    false_positives: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    entity_kinds: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    response: str = ""
    path: str = ""
    source_text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """Why a rule can't be used, and where: ``line`` is 1-based, 0 when unknown."""

    path: str
    reason: str
    line: int = 0
    rule_id: str = ""
    title: str = ""
