"""What this room raises."""

from dataclasses import dataclass
from pathlib import Path


class NormalizeError(Exception):
    """Root of what normalizing raises."""


@dataclass(frozen=True, slots=True)
class MappingProblem:
    """What is wrong in a mapping and where; ``line`` is 1-based, 0 when unknown."""

    path: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


class MappingError(NormalizeError):
    """A mapping file that can't be used; names every problem with file and line."""

    def __init__(self, problems: list[MappingProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
