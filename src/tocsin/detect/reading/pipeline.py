"""Applying pySigma processing pipelines to rules before they are compiled.

Field names, log sources, conditions and placeholders are pipeline work. What acts on the text of
queries (``postprocessing``, ``finalizers``) is refused: there is no query here.
"""

from collections.abc import Sequence
from functools import lru_cache

import yaml
from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaDetections, SigmaLogSource, SigmaRule
from sigma.rule.detection import SigmaDetection, SigmaDetectionItem
from sigma.types import SigmaString

from tocsin.detect.errors import Unsupported
from tocsin.detect.reading.pipeline_files import PipelineFile
from tocsin.detect.reading.quiet_re2 import POLICY
from tocsin.detect.reading.sigma_modifiers import CasedFieldReference
from tocsin.detect.reading.yaml_bounds import BoundedLoader, TooMuch, refuse_excess
from tocsin.model.lane import LogSource
from tocsin.model.rule import RuleProblem

_OF_QUERIES = ("postprocessing", "finalizers")


class BrokenPipeline(Unsupported):
    """A pipeline that can't be used; ``problem`` says which and where."""

    def __init__(self, path: str, reason: str, line: int = 0) -> None:
        super().__init__(f"pipeline {path}: {reason}", line=line)
        self.problem = RuleProblem(path, f"the pipeline can't be used: {reason}", line)


@lru_cache(maxsize=8)
def joined(files: tuple[PipelineFile, ...]) -> ProcessingPipeline:
    """All pipelines as one, by their priority, then as given. Raises ``BrokenPipeline``."""
    read = sorted((_read(file) for file in files), key=lambda one: one.priority)
    return sum(read, start=ProcessingPipeline())


def apply_pipelines(
    parsed: SigmaRule, files: tuple[PipelineFile, ...], fields: Sequence[str] = ()
) -> tuple[str, ...]:
    """Change the parsed rule as the pipelines say; returns what ``fields`` are called afterwards.

    Raises ``Unsupported`` when they refuse the rule, or give one field several names.
    """
    if not files:
        return tuple(fields)
    pipeline = joined(files)
    own, parsed.fields = parsed.fields, list(fields)
    cased = _cased_references(parsed.detection)
    try:
        pipeline.apply(parsed)
    except SigmaError as error:
        raise Unsupported(f"refused by a pipeline: {error}") from error
    if _cased_references(parsed.detection) != cased:
        raise Unsupported("pipelines can't rename the field of a cased field reference")
    found, parsed.fields = tuple(parsed.fields), own
    if len(found) != len(fields):
        raise Unsupported(f"a pipeline gives one of {', '.join(fields)} several names")
    return found


def field_name(files: tuple[PipelineFile, ...], logsource: LogSource, field: str) -> str:
    """What the pipelines call a field of such a log source. Raises ``Unsupported``."""
    item = SigmaDetectionItem(field, [], [SigmaString("x")])
    source = SigmaLogSource(
        category=logsource.category, product=logsource.product, service=logsource.service
    )
    rule = SigmaRule(
        title="field",
        logsource=source,
        detection=SigmaDetections({"s": SigmaDetection([item])}, ["s"]),
    )
    return apply_pipelines(rule, files, (field,))[0]


def _read(file: PipelineFile) -> ProcessingPipeline:
    try:
        refuse_excess(file.text)
        content = yaml.load(file.text, Loader=BoundedLoader)  # noqa: S506 - a safe loader
    except TooMuch as error:
        raise BrokenPipeline(file.path, str(error), error.line + 1) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = min(mark.line + 1 if mark else 0, max(1, len(file.text.splitlines())))
        raise BrokenPipeline(file.path, f"not valid YAML: {error.problem}", line) from error
    except Exception as error:  # tags of another type fail in many ways
        raise BrokenPipeline(file.path, f"not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise BrokenPipeline(file.path, "it must be a map with transformations", 1)
    for key in _OF_QUERIES:
        if content.get(key):
            line = _line_of_key(file.text, key)
            reason = f"{key} changes the text of queries, and there is none here: take it out"
            raise BrokenPipeline(file.path, reason, line)
    try:
        return ProcessingPipeline.from_dict(content, policy=POLICY)
    except Exception as error:  # pySigma fails in many ways on odd content
        raise BrokenPipeline(file.path, str(error) or type(error).__name__) from error


def _line_of_key(text: str, key: str) -> int:
    lines = text.splitlines()
    return next((at for at, line in enumerate(lines, 1) if line.startswith(key)), 0)


def _cased_references(detections: SigmaDetections) -> int:
    """How many there are; pySigma makes plain ones of them when it renames a field."""
    found = 0
    stack: list[SigmaDetection | SigmaDetectionItem] = list(detections.detections.values())
    while stack:
        one = stack.pop()
        if isinstance(one, SigmaDetection):
            stack.extend(one.detection_items)
        else:
            found += sum(isinstance(value, CasedFieldReference) for value in one.value)
    return found
