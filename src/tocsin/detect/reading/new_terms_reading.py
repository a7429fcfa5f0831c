"""Reading ``new_terms`` documents: a match rule, and which of its values must be new.

``new_terms: {fields: [User, Image], window: 30d, learning: 7d, group-by: [Computer]}`` beside an
ordinary ``detection`` finds values of ``fields`` (together) that no matching event of the group had
in the last ``window``. A group gives no findings before it was watched for ``learning`` (7 days, or
the window if that is shorter).
"""

from datetime import timedelta
from typing import Final

from tocsin.detect.reading.condition import compile_condition
from tocsin.detect.reading.match_reading import parse_detection
from tocsin.detect.reading.pipeline import apply_pipelines
from tocsin.detect.reading.pipeline_files import PipelineFile
from tocsin.detect.reading.rule_document import RuleDocument
from tocsin.detect.reading.rule_extension import extension_of, sequence_tests
from tocsin.detect.reading.rule_metadata import log_source, rule_of
from tocsin.detect.reading.rule_section import Section
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.rule_draft import NewTermsDraft
from tocsin.detect.rules.stateful_rule import NewTermsRule
from tocsin.model.rule import RuleKind

_LEARNING: Final = timedelta(days=7)


def read_new_terms(
    document: RuleDocument, path: str, pipelines: tuple[PipelineFile, ...] = ()
) -> NewTermsDraft:
    """The draft of a ``new_terms`` document. Raises ``Unsupported`` or ``SigmaError``."""
    section = Section(document, "new_terms")
    section.only("fields", "window", "learning", "group-by")
    fields = section.texts("fields")
    if not fields:
        raise section.refuse("new_terms/fields must name at least one field", "fields")
    window = section.span("window")
    learning = section.span("learning", min(_LEARNING, window))
    if learning > window:
        raise section.refuse("learning can't be longer than the window: it forgets", "learning")
    parsed = parse_detection(document)
    group_by = section.texts("group-by")
    renamed = apply_pipelines(parsed, pipelines, (*fields, *group_by))
    extension = extension_of(document)
    source = log_source(parsed.logsource)
    rule = rule_of(parsed, document, path, extension, kind=RuleKind.NEW_TERMS, logsource=source)
    tests = sequence_tests(extension, document)
    for test in tests:
        for _, name, _ in test.events:
            if name and name not in (parsed.name, rule.id):
                raise section.refuse(f"tests: {name} is not this rule, and it takes no other")
    match = SigmaMatchRule(
        rule=rule,
        condition=compile_condition(parsed),
        line=document.line,
        name=parsed.name or "",
    )
    new_terms = NewTermsRule(
        rule=rule,
        fields=renamed[: len(fields)],
        window=window,
        learning=learning,
        group_by=renamed[len(fields) :],
        tests=tests,
        line=document.line,
    )
    return NewTermsDraft(new_terms, match)
