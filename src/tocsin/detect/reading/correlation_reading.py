"""Reading correlation documents (Sigma 2.1) and ``absence`` documents of the same shape.

``absence: {rules: [trigger, expected], group-by, timespan, aliases, generate}`` finds a trigger
that no expected event of the same group follows within ``timespan``; with one rule, a group that
falls silent for ``timespan`` (a heartbeat).
"""

from tocsin.detect.errors import Unsupported
from tocsin.detect.reading.bounds_reading import COMPARISONS, read_bounds
from tocsin.detect.reading.pipeline_files import PipelineFile
from tocsin.detect.reading.quiet_re2 import POLICY
from tocsin.detect.reading.rule_document import RuleDocument
from tocsin.detect.reading.rule_extension import extension_of, sequence_tests
from tocsin.detect.reading.rule_metadata import read_metadata, rule_of
from tocsin.detect.reading.rule_section import Section
from tocsin.detect.rules.rule_draft import CorrelationDraft
from tocsin.detect.rules.stateful_rule import Bound, CorrelationRule, CorrelationType
from tocsin.model.rule import RuleKind

_OF_VALUES = frozenset(
    {
        CorrelationType.VALUE_COUNT,
        CorrelationType.VALUE_SUM,
        CorrelationType.VALUE_AVG,
        CorrelationType.VALUE_PERCENTILE,
        CorrelationType.VALUE_MEDIAN,
    }
)
_TEMPORAL = frozenset({CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED})
_SHARED_KEYS = ("rules", "group-by", "timespan", "aliases", "generate")


def read_correlation(
    document: RuleDocument, path: str, _pipelines: tuple[PipelineFile, ...] = ()
) -> CorrelationDraft:
    """The draft of a ``correlation`` document. Raises ``Unsupported`` or ``SigmaError``."""
    section = Section(document, "correlation")
    section.only("type", *_SHARED_KEYS, "condition")
    kind = _type(section)
    condition = _condition(document, kind)
    bounds, fields, percentile = condition
    return _draft(document, path, section, kind, bounds, fields, percentile)


def read_absence(
    document: RuleDocument, path: str, _pipelines: tuple[PipelineFile, ...] = ()
) -> CorrelationDraft:
    """The draft of an ``absence`` document. Raises ``Unsupported`` or ``SigmaError``."""
    section = Section(document, "absence")
    section.only(*_SHARED_KEYS)
    return _draft(document, path, section, CorrelationType.ABSENCE, (), (), 50.0)


def _draft(
    document: RuleDocument,
    path: str,
    section: Section,
    kind: CorrelationType,
    bounds: tuple[Bound, ...],
    fields: tuple[str, ...],
    percentile: float,
) -> CorrelationDraft:
    absence = kind is CorrelationType.ABSENCE
    rules = _rules(section, kind)
    group_by = section.texts("group-by")
    aliases = _aliases(section, (*group_by, *fields), rules)
    parsed = read_metadata(document, POLICY)
    extension = extension_of(document)
    rule = rule_of(
        parsed,
        document,
        path,
        extension,
        kind=RuleKind.ABSENCE if absence else RuleKind.CORRELATION,
    )
    found = CorrelationRule(
        rule=rule,
        type=kind,
        rules=rules,
        timespan=section.span("timespan"),
        group_by=group_by,
        aliases=aliases,
        bounds=bounds,
        fields=fields,
        percentile=percentile,
        generate=_generate(section),
        name=parsed.name or "",
        tests=sequence_tests(extension, document),
        line=document.line,
    )
    return CorrelationDraft(found, _lines(section, found))


def _type(section: Section) -> CorrelationType:
    named = section.text("type")
    for kind in CorrelationType:
        if kind.value == named and kind is not CorrelationType.ABSENCE:
            return kind
    known = ", ".join(kind for kind in CorrelationType if kind is not CorrelationType.ABSENCE)
    raise section.refuse(f"correlation type {named} is not known: known are {known}", "type")


def _rules(section: Section, kind: CorrelationType) -> tuple[str, ...]:
    rules = section.texts("rules")
    if not rules:
        raise section.refuse(f"{section.name}/rules must name at least one rule", "rules")
    if kind is CorrelationType.TEMPORAL_ORDERED and len(rules) < 2:
        raise section.refuse("an order needs at least two rules", "rules")
    if kind is CorrelationType.ABSENCE and len(rules) > 2:
        raise section.refuse(
            "absence takes a trigger and what is expected: at most two rules", "rules"
        )
    return rules


def _generate(section: Section) -> bool:
    """``generate`` stands at the top of the document (schema of Sigma 2.1) or in the section."""
    top = section.document.content.get("generate", False)
    if not isinstance(top, bool):
        raise Unsupported("generate must be true or false", "generate")
    return top or section.flag("generate")


def _aliases(
    section: Section, used: tuple[str, ...], rules: tuple[str, ...]
) -> dict[str, dict[str, str]]:
    if section.content.get("aliases") is None:
        return {}
    inside = Section(section.document, *section.steps, "aliases")
    found: dict[str, dict[str, str]] = {}
    for alias in inside.content:
        if not isinstance(alias, str) or alias not in used:
            raise inside.refuse(
                f"alias {alias} is used nowhere: name it in group-by or take it out", str(alias)
            )
        of_rules = Section(section.document, *inside.steps, alias)
        found[alias] = {rule: of_rules.text(rule) for rule in of_rules.content}
    return found


def _condition(
    document: RuleDocument, kind: CorrelationType
) -> tuple[tuple[Bound, ...], tuple[str, ...], float]:
    section = Section(document, "correlation")
    given = section.content.get("condition")
    if given is None:
        if kind in _TEMPORAL:
            return (), (), 50.0
        raise section.refuse(f"{kind} needs a condition such as {{gte: 10}}", "condition")
    if isinstance(given, str):
        raise section.refuse(
            "a condition over rule names is not part of Sigma 2.1: list the rules (all of them "
            "must occur), and write 'not' as an absence rule",
            "condition",
        )
    inside = Section(document, "correlation", "condition")
    inside.only(*COMPARISONS, "field", "percentile")
    bounds = read_bounds(inside)
    return bounds, _fields(inside, kind), _percentile(inside, kind)


def _fields(condition: Section, kind: CorrelationType) -> tuple[str, ...]:
    fields = condition.texts("field")
    if kind not in _OF_VALUES and fields:
        raise condition.refuse(f"{kind} measures no field: take it out", "field")
    if kind in _OF_VALUES and not fields:
        raise condition.refuse(f"{kind} needs condition/field: what it measures")
    if len(fields) > 1 and kind is not CorrelationType.VALUE_COUNT:
        raise condition.refuse(f"{kind} measures one field", "field")
    return fields


def _percentile(condition: Section, kind: CorrelationType) -> float:
    if kind is not CorrelationType.VALUE_PERCENTILE:
        if "percentile" in condition.content:
            raise condition.refuse(f"{kind} has no percentile: take it out", "percentile")
        return 50.0
    if "percentile" not in condition.content:
        raise condition.refuse(
            "value_percentile needs condition/percentile (0 to 100); 50 is the median"
        )
    percentile = condition.number("percentile")
    if not 0 <= percentile <= 100:
        raise condition.refuse("percentile must be between 0 and 100", "percentile")
    return percentile


def _lines(section: Section, found: CorrelationRule) -> dict[str, int]:
    lines = {f"rules/{at}": section.line("rules", str(at)) for at in range(len(found.rules))}
    for alias, of_rules in found.aliases.items():
        lines[f"aliases/{alias}"] = section.line("aliases", alias)
        for rule in of_rules:
            lines[f"aliases/{alias}/{rule}"] = section.line("aliases", alias, rule)
    return lines
