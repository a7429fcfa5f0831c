"""Which log files are followed, and how: a table ``[[files]]`` each, with its meaning."""

import codecs
from pathlib import PurePath
from typing import Annotated, Any, Literal

import re2
from pydantic import BaseModel, ConfigDict, Field, field_validator

Pattern = Annotated[str, Field(min_length=1, max_length=1000)]
_WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


class FileSettings(BaseModel):
    """Files that are followed as they grow, over rotation and restarts."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    source: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$", description="Name of their source."
    )
    paths: tuple[Pattern, ...] = Field(
        min_length=1,
        description="Paths with `*`, `?`, `[…]`, `**`; name rotated files too (`access.log*`): "
        "nothing is read twice.",
    )
    exclude: tuple[Pattern, ...] = Field(
        (), description="Of these, the ones left out, by path or by name (`*.gz`)."
    )
    encoding: str = Field("utf-8", description="Of files that do not begin with a UTF-16 mark.")
    multiline_start: str = Field(
        "",
        max_length=1000,
        description="How a record's first line begins (RE2); else a line is one.",
    )
    start: Literal["start", "end"] = Field(
        "start", alias="from", description="Where files begin that are there at the first look."
    )
    partial_s: float = Field(
        10.0, gt=0, le=3600, description="How long a line waits for its end, in s."
    )

    @field_validator("paths")
    @classmethod
    def _are_absolute(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            if not PurePath(pattern).is_absolute():
                raise ValueError(f"{pattern!r} is no absolute path")
        return patterns

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        try:
            name = codecs.lookup(encoding).name
            plain = "\n".encode(name) == b"\n"
        except (LookupError, UnicodeError, TypeError) as error:
            raise ValueError(f"no text encoding is called {encoding!r}") from error
        if not plain and name not in _WIDE:
            raise ValueError(f"say the byte order: {', '.join(_WIDE)}")
        return name

    @field_validator("multiline_start")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            compiled_start(pattern)
        except re2.error as error:
            raise ValueError(f"no regular expression of RE2: {error}") from error
        return pattern


def compiled_start(pattern: str) -> Any:
    """What ``multiline_start`` says, to be matched with bytes; None when it says nothing."""
    if not pattern:
        return None
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern.encode(), options)


def check_sources(files: tuple[FileSettings, ...]) -> None:
    """Raises ValueError when two tables give the same source: positions are kept by it."""
    names = [one.source for one in files]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two tables have the source {sorted(twice)[0]!r}; put their paths in one")
