"""Reading documents with a ``detection``: Sigma's match rules."""

import re

from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from tocsin.detect.errors import Unsupported
from tocsin.detect.reading.condition import compile_condition
from tocsin.detect.reading.detection_shape import shaped
from tocsin.detect.reading.pipeline import apply_pipelines
from tocsin.detect.reading.pipeline_files import PipelineFile
from tocsin.detect.reading.quiet_re2 import POLICY
from tocsin.detect.reading.rule_document import RuleDocument
from tocsin.detect.reading.rule_extension import event_tests, extension_of
from tocsin.detect.reading.rule_metadata import log_source, rule_of
from tocsin.detect.rules.match_rule import SigmaMatchRule

_AGGREGATION = re.compile(
    r"[^|]*\|\s*(count|sum|avg)\(\s*([\w.\-]*)\s*\)\s*(?:by\s+([\w.\-]+)\s*)?(>=|<=|=|>|<)\s*(\d+)\s*"
)
_COMPARISONS = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "=": "eq"}
_NOT_SIGMA = frozenset({"tocsin", "new_terms", "indicator"})


def read_match(
    document: RuleDocument, path: str, pipelines: tuple[PipelineFile, ...] = ()
) -> SigmaMatchRule:
    """The rule of a document that looks at one event. Raises ``Unsupported``, ``SigmaError``."""
    parsed = parse_detection(document)
    apply_pipelines(parsed, pipelines)
    extension = extension_of(document)
    rule = rule_of(parsed, document, path, extension, logsource=log_source(parsed.logsource))
    return SigmaMatchRule(
        rule=rule,
        condition=compile_condition(parsed),
        tests=event_tests(extension, document),
        line=document.line,
        name=parsed.name or "",
    )


def parse_detection(document: RuleDocument) -> SigmaRule:
    """The document as pySigma understands it. Raises ``Unsupported`` or ``SigmaError``."""
    parsed = _parsed(document)
    if parsed.errors:
        raise parsed.errors[0]
    return parsed


def errors_in(document: RuleDocument) -> list[SigmaError]:
    """All that pySigma refuses in the document, where reading it ends at the first."""
    try:
        return list(_parsed(document).errors)
    except Exception:  # pySigma fails in many ways on odd content; reading tells of it
        return []


def _parsed(document: RuleDocument) -> SigmaRule:
    content = {key: value for key, value in document.content.items() if key not in _NOT_SIGMA}
    if "detection" in content:
        refuse_aggregation(content["detection"])
        content["detection"] = shaped(content["detection"], document, "detection")
    return SigmaRule.from_dict(content, collect_errors=True, policy=POLICY)


def refuse_aggregation(detection: object) -> None:
    """Raise ``Unsupported`` for what correlations took the place of in Sigma 2."""
    if not isinstance(detection, dict):
        return
    condition = detection.get("condition")
    for one in condition if isinstance(condition, list) else [condition]:
        if isinstance(one, str) and "|" in one:
            raise Unsupported(
                "aggregation in the condition (after |) left Sigma 2: "
                + _as_correlation(one, detection.get("timeframe")),
                "condition",
            )
    if "timeframe" in detection:
        raise Unsupported(
            "a timeframe left Sigma 2: take it out, or write a correlation with a timespan",
            "timeframe",
        )


def _as_correlation(condition: str, timeframe: object) -> str:
    """How to write ``s | count(field) by group > 5`` today, as far as it can be told."""
    match = _AGGREGATION.fullmatch(condition)
    if match is None:
        return "write a correlation rule over rules that carry a name"
    kind, field, group, comparison, number = match.groups()
    kinds = {"count": "value_count" if field else "event_count", "avg": "value_avg"}
    parts = [f"type: {kinds.get(kind, f'value_{kind}')}", "rules: [NAME]"]
    if group:
        parts.append(f"group-by: [{group}]")
    parts.append(f"timespan: {timeframe or 'TIMESPAN'}")
    measured = f"field: {field}, " if field else ""
    parts.append(f"condition: {{{measured}{_COMPARISONS[comparison]}: {number}}}")
    return (
        "end the condition before the |, give the rule a 'name: NAME' and add a document "
        f"correlation: {{{', '.join(parts)}}}"
    )
