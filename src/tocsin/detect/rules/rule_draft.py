"""What reading one rule file gives, before the rules of all files are known to each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from tocsin.detect.rules.health_rule import HealthRule
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import Node
from tocsin.detect.rules.stateful_rule import CorrelationRule, NewTermsRule
from tocsin.detect.rules.value_list import ListKind
from tocsin.model.lane import LogSource
from tocsin.model.rule import Rule, RuleProblem


@dataclass(frozen=True, slots=True)
class CorrelationDraft:
    """A correlation that names its rules as written: by name or id, perhaps of other files.

    ``lines`` gives the line of ``rules/0``, ``aliases/NAME`` and ``aliases/NAME/RULE``.
    """

    correlation: CorrelationRule
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def rule(self) -> Rule:
        return self.correlation.rule

    @property
    def name(self) -> str:
        return self.correlation.name

    @property
    def line(self) -> int:
        return self.correlation.line


@dataclass(frozen=True, slots=True)
class NewTermsDraft:
    """A new-terms rule and the match rule (of the same id) whose hits it takes."""

    new_terms: NewTermsRule
    match: SigmaMatchRule

    @property
    def rule(self) -> Rule:
        return self.new_terms.rule

    @property
    def name(self) -> str:
        return self.match.name

    @property
    def line(self) -> int:
        return self.new_terms.line


@dataclass(frozen=True, slots=True)
class IndicatorDraft:
    """An indicator rule before its list is read: ``match`` holds what else must be true.

    ``file`` (relative to the rule's) or ``values`` hold the list; ``file_line`` is where it is
    named.
    """

    match: SigmaMatchRule
    fields: tuple[str, ...]
    kind: ListKind
    file: str = ""
    values: tuple[str, ...] = ()
    file_line: int = 1

    @property
    def rule(self) -> Rule:
        return self.match.rule

    @property
    def name(self) -> str:
        return self.match.name

    @property
    def line(self) -> int:
        return self.match.line


@dataclass(frozen=True, slots=True)
class HealthDraft:
    """A health rule and its ``name``."""

    health: HealthRule
    name: str = ""

    @property
    def rule(self) -> Rule:
        return self.health.rule

    @property
    def line(self) -> int:
        return self.health.line


@dataclass(frozen=True, slots=True)
class FilterDraft:
    """A Sigma filter: match rules it names are true only where ``condition`` is, too.

    ``rules`` are ids or names, none: every rule whose log source is within ``logsource``.
    ``lines`` gives the line of ``rules/0``; ``text`` is the document, for pipelines that change
    it by the log source of the rule it is put on.
    """

    id: str
    title: str
    logsource: LogSource
    rules: tuple[str, ...]
    condition: Node
    path: str
    text: str = field(default="", repr=False)
    line: int = 1
    lines: Mapping[str, int] = field(default_factory=dict)


RuleRead: TypeAlias = (
    SigmaMatchRule | IndicatorDraft | CorrelationDraft | NewTermsDraft | HealthDraft
)
Read: TypeAlias = RuleRead | FilterDraft | RuleProblem
