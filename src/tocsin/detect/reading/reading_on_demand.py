"""The one place that brings in what reads rule files: only when a file has to be read.

PySigma and its parsers take longer to import than thousands of compiled rules to load, and a start
with a warm cache needs none of them. So the module that reads is found by name here, and loading
knows it by the Protocol below.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, cast

from tocsin.detect.reading.pipeline_files import PipelineFile
from tocsin.detect.rules.matcher import Node
from tocsin.detect.rules.overlay import Scalar
from tocsin.detect.rules.rule_draft import FilterDraft, Read
from tocsin.model.lane import LogSource
from tocsin.model.rule import RuleProblem

Pipelines = tuple[PipelineFile, ...]


class Reading(Protocol):
    """What ``tocsin.detect.reading.rule_reading`` offers."""

    def read_rules(self, text: str, path: str, pipelines: Pipelines = ()) -> list[Read]: ...

    def broken_pipelines(self, pipelines: Pipelines) -> list[RuleProblem]: ...

    def field_name(self, files: Pipelines, logsource: LogSource, field: str) -> str: ...

    def filter_condition(
        self, draft: FilterDraft, logsource: LogSource, pipelines: Pipelines
    ) -> Node: ...

    def selection_condition(
        self, fields: Mapping[str, tuple[Scalar, ...]], logsource: LogSource
    ) -> Node: ...


def reading() -> Reading:
    """The module that reads rule files, imported now if it was not yet."""
    return cast("Reading", import_module("tocsin.detect.reading.rule_reading"))
