"""Reading ``indicator`` documents: fields whose values are looked up in a list.

``indicator: {fields: [DestinationIp], list: bad.txt, kind: address}`` with ``values: [...]`` in
place of ``list`` for a few; ``list`` is a file next to the rule, one value a line. ``kind`` is
address, domain, hash or text (see ``value_list.ListKind``). A ``detection`` and a ``logsource``
narrow the events; without them every event with such a field is looked up.
"""

from sigma.rule import SigmaLogSource

from tocsin.detect.reading.condition import compile_condition
from tocsin.detect.reading.match_reading import parse_detection
from tocsin.detect.reading.pipeline import apply_pipelines, field_name
from tocsin.detect.reading.pipeline_files import PipelineFile
from tocsin.detect.reading.quiet_re2 import POLICY
from tocsin.detect.reading.rule_document import RuleDocument
from tocsin.detect.reading.rule_extension import event_tests, extension_of
from tocsin.detect.reading.rule_metadata import log_source, read_metadata, rule_of
from tocsin.detect.reading.rule_section import Section
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import All, Node
from tocsin.detect.rules.rule_draft import IndicatorDraft
from tocsin.detect.rules.value_list import ListKind, spelled
from tocsin.model.lane import LogSource
from tocsin.model.rule import RuleKind

_KINDS = ", ".join(ListKind)


def read_indicator(
    document: RuleDocument, path: str, pipelines: tuple[PipelineFile, ...] = ()
) -> IndicatorDraft:
    """The draft of an ``indicator`` document. Raises ``Unsupported`` or ``SigmaError``."""
    section = Section(document, "indicator")
    section.only("fields", "list", "values", "kind")
    fields = section.texts("fields")
    if not fields:
        raise section.refuse("indicator/fields must name at least one field", "fields")
    named = section.text("kind")
    if named not in tuple(ListKind):
        raise section.refuse(f"indicator/kind must be one of {_KINDS}", "kind")
    kind = ListKind(named)
    values = _values(section, kind)
    if ("list" in section.content) == bool(values):
        raise section.refuse("an indicator has either a list (a file) or values")
    extension = extension_of(document)
    metadata = read_metadata(document, POLICY)
    condition: Node = All(())
    source = _source(document)
    if "detection" in document.content:
        parsed = parse_detection(document)
        fields = apply_pipelines(parsed, pipelines, fields)
        condition, source = compile_condition(parsed), log_source(parsed.logsource)
    elif pipelines and source != LogSource():
        fields = tuple(field_name(pipelines, source, one) for one in fields)
    rule = rule_of(metadata, document, path, extension, kind=RuleKind.INDICATOR, logsource=source)
    tests, name = event_tests(extension, document), metadata.name or ""
    match = SigmaMatchRule(rule, condition, tests, document.line, name)
    file = section.text("list", "")
    return IndicatorDraft(match, fields, kind, file, values, section.line("list"))


def _values(section: Section, kind: ListKind) -> tuple[str, ...]:
    found = []
    for at, value in enumerate(section.texts("values")):
        one = spelled(value.strip(), kind)
        if one is None:
            raise section.refuse(f"{value} is no {kind}", "values", str(at))
        found.append(one)
    return tuple(found)


def _source(document: RuleDocument) -> LogSource:
    if "logsource" not in document.content:
        return LogSource()
    section = Section(document, "logsource")
    return log_source(SigmaLogSource.from_dict(dict(section.content)))
