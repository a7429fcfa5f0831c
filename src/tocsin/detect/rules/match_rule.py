"""A compiled match rule, and the tests it carries."""

from dataclasses import dataclass

from tocsin.detect.rules.matcher import Node
from tocsin.model.rule import Rule


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test inside a rule: an event of native fields and whether the rule must match it."""

    name: str
    must_match: bool
    event: dict[str, object]
    line: int = 0


@dataclass(frozen=True, slots=True)
class AppliedFilter:
    """A Sigma filter that is part of a rule's condition, and where it is written."""

    id: str
    title: str
    path: str
    line: int = 1


@dataclass(frozen=True, slots=True)
class SigmaMatchRule:
    """A Sigma match rule ready to run. ``line`` is where its document begins, from 1.

    ``name`` is what correlations may call it besides its id (Sigma's ``name``). ``filters`` are
    already part of ``condition``.
    """

    rule: Rule
    condition: Node
    tests: tuple[RuleTest, ...] = ()
    line: int = 1
    name: str = ""
    filters: tuple[AppliedFilter, ...] = ()
