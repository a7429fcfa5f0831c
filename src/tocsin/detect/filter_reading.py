"""Reading Sigma 2.1 filter documents."""

from sigma.rule import SigmaRule

from tocsin.detect.condition import compile_condition
from tocsin.detect.detection_shape import shaped
from tocsin.detect.quiet_re2 import POLICY
from tocsin.detect.rule_document import RuleDocument
from tocsin.detect.rule_draft import FilterDraft
from tocsin.detect.rule_metadata import log_source
from tocsin.detect.rule_section import Section
from tocsin.model.identifier import repeatable_id


def read_filter(document: RuleDocument, path: str) -> FilterDraft:
    """The draft of a ``filter`` document. Raises ``Unsupported`` or ``SigmaError``.

    ``rules: any`` (or an empty list) is every rule whose log source is within the filter's.
    """
    section = Section(document, "filter")
    if "rules" not in section.content:
        raise section.refuse("filter/rules is missing: name rules, or write any")
    rules = section.texts("rules")
    if not isinstance(section.content.get("condition"), str):
        raise section.refuse("filter/condition must be one text", "condition")
    content = {
        key: value
        for key, value in document.content.items()
        if key not in ("filter", "tocsin", "status", "level")
    }
    content["detection"] = shaped(
        {key: value for key, value in section.content.items() if key != "rules"},
        document,
        "filter",
    )
    parsed = SigmaRule.from_dict(content, collect_errors=True, policy=POLICY)
    if parsed.errors:
        raise parsed.errors[0]
    return FilterDraft(
        id=str(parsed.id or repeatable_id("filter", document.text)),
        title=parsed.title,
        logsource=log_source(parsed.logsource),
        rules=() if [one.lower() for one in rules] == ["any"] else rules,
        condition=compile_condition(parsed),
        path=path,
        line=document.line,
        lines={f"rules/{at}": section.line("rules", str(at)) for at in range(len(rules))},
    )
