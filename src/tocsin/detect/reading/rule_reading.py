"""Making rules, or the reasons why not, from the text of one rule file."""

from collections.abc import Callable
from typing import Final

from sigma.exceptions import SigmaError

from tocsin.detect.errors import Unsupported
from tocsin.detect.reading.correlation_reading import read_absence, read_correlation
from tocsin.detect.reading.detection_lines import line_of
from tocsin.detect.reading.filter_reading import filter_condition, read_filter
from tocsin.detect.reading.health_reading import read_health
from tocsin.detect.reading.indicator_reading import read_indicator
from tocsin.detect.reading.match_reading import read_match
from tocsin.detect.reading.new_terms_reading import read_new_terms
from tocsin.detect.reading.pipeline import BrokenPipeline, field_name, joined
from tocsin.detect.reading.pipeline_files import PipelineFile
from tocsin.detect.reading.rule_document import RuleDocument, read_documents
from tocsin.detect.reading.selection_reading import selection_condition
from tocsin.detect.rules.rule_draft import Read
from tocsin.model.rule import RuleProblem

Pipelines = tuple[PipelineFile, ...]

_KINDS: dict[str, Callable[[RuleDocument, str, Pipelines], Read]] = {
    "correlation": read_correlation,
    "absence": read_absence,
    "filter": read_filter,
    "new_terms": read_new_terms,
    "indicator": read_indicator,
    "health": read_health,
}


__all__ = [
    "broken_pipelines",
    "field_name",
    "filter_condition",
    "read_rules",
    "selection_condition",
]

_LONGEST_REASON: Final = 400


def read_rules(text: str, path: str, pipelines: Pipelines = ()) -> list[Read]:
    """Each rule of a file, or its problem; nothing is raised whatever ``text`` is.

    ``pipelines`` are known to be usable (``broken_pipelines``).
    """
    found = [_read_one(document, path, pipelines) for document in read_documents(text)]
    return found or [RuleProblem(path, "the file holds no rule", 1)]


def broken_pipelines(pipelines: Pipelines) -> list[RuleProblem]:
    """Why the pipelines can't be used, empty when they can."""
    try:
        joined(pipelines)
    except BrokenPipeline as error:
        return [error.problem]
    return []


def _read_one(document: RuleDocument, path: str, pipelines: Pipelines) -> Read:
    content = document.content
    kinds = [kind for kind in _KINDS if kind in content]
    try:
        if document.fault:
            raise Unsupported(document.fault, line=document.line)
        if not isinstance(content.get("id", ""), str | None):
            raise Unsupported("id must be a text (a UUID)", line=document.line_near("id"))
        if len(kinds) > 1:
            raise Unsupported(f"a document is one of {' and '.join(kinds)}, not both", kinds[1])
        read = _KINDS[kinds[0]] if kinds else read_match
        return read(document, path, pipelines)
    except SigmaError as error:
        section = "filter" if "filter" in kinds else "detection"
        reason, line = str(error), line_of(error, document, section)
    except Unsupported as error:
        reason, line = str(error), error.line or document.line_of_key(error.near)
    except RecursionError:
        reason, line = "the condition goes too deep", document.line_near("detection")
    except (
        Exception
    ) as error:  # pySigma fails in many ways on odd content; one bad rule never stops the rest
        reason = f"the rule can't be read ({type(error).__name__}: {error})"
        line = document.line_near("detection")
    about = [str(content.get(key) or "")[:_LONGEST_REASON] for key in ("id", "title")]
    return RuleProblem(path, _cut(reason), line, *about)


def _cut(reason: str) -> str:
    """The reason without the middle of a value that nobody would read to its end."""
    if len(reason) <= _LONGEST_REASON:
        return reason
    half = _LONGEST_REASON // 2
    return f"{reason[:half]} … {reason[-half:]}"
