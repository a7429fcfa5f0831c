"""Files of pySigma processing pipelines, as they take part in loading rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tocsin.model.rule import RuleProblem

_LONGEST: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PipelineFile:
    """One pipeline and what it says (YAML)."""

    path: str
    text: str


def read_pipelines(paths: Iterable[Path]) -> tuple[tuple[PipelineFile, ...], list[RuleProblem]]:
    """The pipelines in that order, and those that can't be read as text."""
    files, problems = [], []
    for path in paths:
        try:
            text = path.read_bytes().decode("utf-8")
            if len(text) > _LONGEST:
                reason = f"more than {_LONGEST:,} characters"
                raise ValueError(reason)
        except (OSError, ValueError) as error:
            problems.append(RuleProblem(str(path), f"the pipeline can't be read: {error}"))
        else:
            files.append(PipelineFile(str(path), text))
    return tuple(files), problems
