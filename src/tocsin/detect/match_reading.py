"""Reading documents with a ``detection``: Sigma's match rules."""

from sigma.rule import SigmaRule

from tocsin.detect.condition import compile_condition
from tocsin.detect.errors import Unsupported
from tocsin.detect.match_rule import SigmaMatchRule
from tocsin.detect.quiet_re2 import POLICY
from tocsin.detect.rule_document import RuleDocument
from tocsin.detect.rule_extension import event_tests, extension_of
from tocsin.detect.rule_metadata import log_source, rule_of

_NOT_SIGMA = frozenset({"tocsin", "new_terms", "indicator"})


def read_match(document: RuleDocument, path: str) -> SigmaMatchRule:
    """The rule of a document that looks at one event. Raises ``Unsupported``, ``SigmaError``."""
    parsed = parse_detection(document)
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
    detection = document.content.get("detection")
    if isinstance(detection, dict):
        refuse_aggregation(detection, "detection")
    parsed = SigmaRule.from_dict(
        {key: value for key, value in document.content.items() if key not in _NOT_SIGMA},
        collect_errors=True,
        policy=POLICY,
    )
    if parsed.errors:
        raise parsed.errors[0]
    return parsed


def refuse_aggregation(detection: dict[str, object], section: str) -> None:
    """Raise ``Unsupported`` for what correlations took the place of in Sigma 2."""
    condition = detection.get("condition")
    for one in condition if isinstance(condition, list) else [condition]:
        if isinstance(one, str) and "|" in one:
            raise Unsupported(
                "aggregation in the condition (after |) left Sigma 2: write a correlation rule",
                "condition",
            )
    if "timeframe" in detection:
        raise Unsupported("a timeframe left Sigma 2: write a correlation rule", "timeframe")
