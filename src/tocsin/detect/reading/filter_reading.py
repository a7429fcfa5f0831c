"""Reading Sigma 2.1 filter documents."""

from sigma.rule import SigmaLogSource, SigmaRule

from tocsin.detect.reading.condition import compile_condition
from tocsin.detect.reading.detection_shape import shaped
from tocsin.detect.reading.pipeline import apply_pipelines
from tocsin.detect.reading.pipeline_files import PipelineFile
from tocsin.detect.reading.quiet_re2 import POLICY
from tocsin.detect.reading.rule_document import RuleDocument, read_documents
from tocsin.detect.reading.rule_metadata import log_source
from tocsin.detect.reading.rule_section import Section
from tocsin.detect.rules.matcher import Node
from tocsin.detect.rules.rule_draft import FilterDraft
from tocsin.model.identifier import repeatable_id
from tocsin.model.lane import LogSource


def read_filter(
    document: RuleDocument, path: str, pipelines: tuple[PipelineFile, ...] = ()
) -> FilterDraft:
    """The draft of a ``filter`` document. Raises ``Unsupported`` or ``SigmaError``.

    ``rules: any`` (or an empty list) is every rule whose log source is within the filter's.
    """
    section = Section(document, "filter")
    if "rules" not in section.content:
        raise section.refuse("filter/rules is missing: name rules, or write any")
    rules = section.texts("rules")
    if not isinstance(section.content.get("condition"), str):
        raise section.refuse("filter/condition must be one text", "condition")
    parsed = _parsed(document)
    source = log_source(parsed.logsource)
    apply_pipelines(parsed, pipelines)
    return FilterDraft(
        id=str(parsed.id or repeatable_id("filter", document.text)),
        title=parsed.title,
        logsource=source,
        rules=() if [one.lower() for one in rules] == ["any"] else rules,
        condition=compile_condition(parsed),
        path=path,
        text=document.text,
        line=document.line,
        lines={f"rules/{at}": section.line("rules", str(at)) for at in range(len(rules))},
    )


def filter_condition(
    draft: FilterDraft, logsource: LogSource, pipelines: tuple[PipelineFile, ...]
) -> Node:
    """The filter's condition as the pipelines have it for rules of such a log source.

    Raises ``Unsupported`` or ``SigmaError``.
    """
    document = next(one for one in read_documents(draft.text) if "filter" in one.content)
    parsed = _parsed(document)
    parsed.logsource = SigmaLogSource(
        category=logsource.category, product=logsource.product, service=logsource.service
    )
    apply_pipelines(parsed, pipelines)
    return compile_condition(parsed)


def _parsed(document: RuleDocument) -> SigmaRule:
    content = {
        key: value
        for key, value in document.content.items()
        if key not in ("filter", "tocsin", "status", "level")
    }
    given = document.content["filter"]
    selections = {key: value for key, value in given.items() if key != "rules"}
    content["detection"] = shaped(selections, document, "filter")
    parsed = SigmaRule.from_dict(content, collect_errors=True, policy=POLICY)
    if parsed.errors:
        raise parsed.errors[0]
    return parsed
