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
_READABLE = 16
"""Narrower than this, a longer text in a column is a pillar of letters."""
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
    """A table; cells are data, so nothing in them is read as markup.

    Where the terminal is too narrow to read columns in, each row is a block of names and values.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    if not is_readable(columns, cells):
        _print_blocks(title, columns, cells)
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    out.print(table)


def is_readable(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the terminal has room for columns not narrower than their content or ``_READABLE``."""
    longest = (max(map(len, column)) for column in zip(columns, *rows, strict=True))
    return sum(min(width, _READABLE) + 3 for width in longest) + 1 <= out.width


def _print_blocks(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if title:
        out.print(Text(title, style="italic"))
    for row in rows:
        block = Table.grid("", "", padding=(0, 2, 0, 0))
        block.columns[1].overflow = "fold"
        for column, value in zip(columns, row, strict=True):
            if value:
                block.add_row(Text(column, style="bold"), Text(value))
        out.print(block, Text())


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
