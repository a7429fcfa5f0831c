"""How hits of a hunt are written: lines of JSON, CSV, a timeline, a table of rules."""

import csv
import heapq
import io
import tempfile
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import IO, TextIO

import orjson

from tocsin.app.hunts.hunt_summary import HuntSummary
from tocsin.cli.output import print_table
from tocsin.detect.hunt import HuntHit, iso_time, ndjson_line
from tocsin.model.rule import Rule

Told = tuple[Rule, HuntHit]

CSV_COLUMNS = (
    "time",
    "level",
    "rule_title",
    "rule_id",
    "source",
    "record_id",
    "file",
    "tags",
    "event",
    "correlation",
)
SORTED_IN_MEMORY_BYTES = 64 << 20


class Form(StrEnum):
    """How the hits are written."""

    TABLE = "table"
    NDJSON = "ndjson"
    CSV = "csv"
    TIMELINE = "timeline"


def written(form: Form, hits: Iterable[Told], *, by_time: bool) -> Iterator[bytes]:
    """The hits as text in UTF-8, one piece a hit; the table's rows come from the summary."""
    if form is Form.TABLE:
        for _ in hits:
            pass
        return
    if form is Form.CSV:
        yield _csv_row(CSV_COLUMNS)
    line = {Form.NDJSON: ndjson_line, Form.CSV: _csv_line, Form.TIMELINE: _timeline_line}[form]
    if not by_time and form is not Form.TIMELINE:
        for rule, hit in hits:
            yield line(rule, hit)
        return
    with TimeOrder(SORTED_IN_MEMORY_BYTES) as order:
        for rule, hit in hits:
            order.add(hit.time_us, line(rule, hit))
        yield from order.lines()


class TimeOrder:
    """Sorts lines by time in bounded memory: runs in temporary files, merged at the end.

    Lines of one time keep the order they came in.
    """

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._lines: list[tuple[int, int, bytes]] = []
        self._size_bytes = 0
        self._count = 0
        self._runs: list[IO[bytes]] = []

    def __enter__(self) -> "TimeOrder":
        return self

    def __exit__(self, *_: object) -> None:
        for run in self._runs:
            run.close()

    def add(self, time_us: int, line: bytes) -> None:
        self._lines.append((time_us, self._count, line))
        self._count += 1
        self._size_bytes += len(line) + 120  # what Python adds to each
        if self._size_bytes >= self._memory_bytes:
            self._spill()

    def lines(self) -> Iterator[bytes]:
        self._lines.sort()
        runs: list[Iterable[tuple[int, int, bytes]]] = [_read(run) for run in self._runs]
        for _, _, line in heapq.merge(*runs, self._lines):
            yield line

    def _spill(self) -> None:
        run = tempfile.TemporaryFile(prefix="tocsin-hunt-")  # noqa: SIM115 (closed with the whole)
        for time_us, number, line in sorted(self._lines):
            run.write(b"%d %d %d\n" % (time_us, number, len(line)) + line)
        run.seek(0)
        self._runs.append(run)
        self._lines, self._size_bytes = [], 0


def _read(run: IO[bytes]) -> Iterator[tuple[int, int, bytes]]:
    while head := run.readline():
        time_us, number, length = map(int, head.split())
        yield time_us, number, run.read(length)


def write_table(summary: HuntSummary, target: TextIO | None) -> None:
    """A row a rule, the most serious first; to a file with tabs between the cells."""
    columns = ("level", "rule", "hits", "first", "last", "sources")
    rows = [
        (
            count.rule.level.value,
            count.rule.title,
            count.hits,
            iso_time(count.first_us),
            iso_time(count.last_us),
            _some(count.sources),
        )
        for count in summary.counts()
    ]
    if target is None:
        print_table("", columns, rows)
    else:
        csv.writer(target, delimiter="\t").writerows([columns, *rows])


def _csv_line(rule: Rule, hit: HuntHit) -> bytes:
    cells = (
        iso_time(hit.time_us),
        rule.level.value,
        rule.title,
        rule.id,
        hit.source,
        hit.record,
        hit.file,
        " ".join(rule.tags),
        hit.event.decode(),
        hit.correlation.decode(),
    )
    return _csv_row(cells)


def _csv_row(cells: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow([_harmless(cell) for cell in cells])
    return text.getvalue().encode("utf-8", "backslashreplace")


def _harmless(cell: str) -> str:
    """A cell no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{cell}" if cell[:1] in tuple("=+-@\t\r") else cell


def _timeline_line(rule: Rule, hit: HuntHit) -> bytes:
    because = f"  {orjson.loads(hit.correlation)['because']}" if hit.correlation else ""
    host = f"  {hit.host}" if hit.host else ""
    text = (
        f"{iso_time(hit.time_us)}  {rule.level.value:<13}  {hit.source}{host}  {rule.title}"
        f"{because}  [{hit.file}#{hit.record}]"
    )
    return _line(text).encode("utf-8", "backslashreplace") + b"\n"


def _line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _some(sources: set[str]) -> str:
    shown = ", ".join(sorted(sources)[:3])
    return shown if len(sources) <= 3 else f"{shown} and {len(sources) - 3} more"
