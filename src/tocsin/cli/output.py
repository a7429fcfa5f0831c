"""How commands speak: tables for people, one JSON document with --json, logs on stderr."""

import sys
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from tocsin.app.plain import as_json

_WIDE = 200
out = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
err = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _WIDE)


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    FINDINGS = 1
    BAD_CONTENT = 2
    BAD_CONFIGURATION = 3


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.buffer.write(
        orjson.dumps(as_json(value), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
    )
    sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; cells are data, so nothing in them is read as markup."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    out.print(table)


def fail(message: str, code: Exit = Exit.BAD_CONTENT) -> NoReturn:
    """Say what is wrong on stderr and end with ``code``."""
    err.print(Text("tocsin: ", style="bold red") + Text(message))
    raise typer.Exit(code)


def byte_progress() -> Progress:
    """A progress bar for work measured in bytes; silent when stderr is not a terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )


def rate_progress() -> Progress:
    """``byte_progress`` with a field ``rate`` that the task tells itself."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )


def item_progress() -> Progress:
    """A progress bar for counted work; silent when stderr is not a terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    return plain(value if isinstance(value, str) else str(as_json(value)))


def plain(text: str) -> str:
    """Text that can't steer a terminal: what is not printable is written out."""
    return "".join(
        char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text
    )
