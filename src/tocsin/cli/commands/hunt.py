"""``tocsin hunt``: run Sigma rules over files; no server, no state."""

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import orjson
import typer

from tocsin.app.plain import as_json as plain
from tocsin.app.wiring import CONTENT, cache_folder, open_normalizer
from tocsin.cli.output import Exit, byte_progress, err, fail, item_progress, print_table
from tocsin.detect.engine import Engine
from tocsin.detect.hunt import HuntHit, hunt_batches
from tocsin.detect.ruleset import RuleSet, load_rules
from tocsin.ingest.decode import decode
from tocsin.ingest.files import read_paths
from tocsin.model.event import EventBatch
from tocsin.model.record import Origin, RawBatch, Unreadable
from tocsin.model.severity import Level


class Form(StrEnum):
    """How the hits are written."""

    TABLE = "table"
    NDJSON = "ndjson"
    CSV = "csv"
    TIMELINE = "timeline"


def register(app: typer.Typer) -> None:
    app.command("hunt")(hunt)


def hunt(
    paths: Annotated[
        list[Path], typer.Argument(help="Files or folders of logs.", metavar="PATH...")
    ],
    rules: Annotated[
        list[Path] | None,
        typer.Option(
            "--rules",
            help="Sigma rules, a file or folder; may be given again (default: the shipped pack).",
        ),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="How to write the hits.")] = Form.TABLE,
    level: Annotated[
        Level, typer.Option("--level", help="Lowest level to report.")
    ] = Level.INFORMATIONAL,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to a file.")] = None,
) -> None:
    """Run rules over log files (EVTX, JSON, syslog, Zeek …) offline. Exit code 1 when something hit."""
    ruleset = _load(rules or [CONTENT / "rules"])
    counts: Counter[str] = Counter()
    hits = hunt_batches(_batches(paths, counts), Engine(ruleset), level=level)
    target = output.open("w", encoding="utf-8", newline="") if output else sys.stdout
    try:
        found = _WRITERS[form](hits, target)
    finally:
        if output:
            target.close()
    err.print(
        f"{counts['records']} records, {counts['unreadable']} unreadable, "
        f"{len(ruleset.rules)} rules ({len(ruleset.problems)} could not be loaded), {found} hits",
        markup=False,
    )
    raise typer.Exit(Exit.FINDINGS if found else Exit.DONE)


def _load(paths: list[Path]) -> RuleSet:
    for path in paths:
        if not path.exists():
            fail(
                f"{path}: no such file or folder; --rules takes Sigma rules", Exit.BAD_CONFIGURATION
            )
    with item_progress() as progress:
        task = progress.add_task("loading rules", total=None)
        return load_rules(
            paths,
            cache=cache_folder() / "rules",
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def _batches(paths: list[Path], counts: Counter[str]) -> Iterator[EventBatch]:
    normalizer = open_normalizer()
    now = datetime.now(UTC)
    with byte_progress() as progress:
        task = progress.add_task("hunting", total=None)

        def moved(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        for number, item in enumerate(read_paths(paths, None, now, moved)):
            if isinstance(item, Unreadable):
                _tell(item, counts)
                continue
            yield from _normalized(item, number, normalizer, counts)


def _normalized(
    item: RawBatch, number: int, normalizer: Any, counts: Counter[str]
) -> Iterable[EventBatch]:
    decoded = decode(item)
    counts["records"] += len(decoded.records)
    for problem in decoded.unreadable:
        _tell(problem, counts)
    if not decoded.records:
        return ()
    origin = Origin(
        source=item.source,
        received_at=item.received_at,
        spool=item.place,
        position=number,
        place=item.place,
    )
    batches: Iterable[EventBatch] = normalizer.normalize(decoded, origin)
    return batches


def _tell(problem: Unreadable, counts: Counter[str]) -> None:
    counts["unreadable"] += 1
    if counts["unreadable"] <= 20:
        err.print(
            f"unreadable: {problem.place}: record {problem.ordinal}: {problem.reason}", markup=False
        )


def _write_ndjson(hits: Iterable[HuntHit], target: TextIO) -> int:
    found = 0
    for found, hit in enumerate(hits, start=1):  # noqa: B007
        target.write(orjson.dumps(plain(hit), option=orjson.OPT_NON_STR_KEYS).decode() + "\n")
    return found


def _write_csv(hits: Iterable[HuntHit], target: TextIO) -> int:
    names = (
        "time",
        "level",
        "rule_title",
        "rule_id",
        "source",
        "record_id",
        "file",
        "tags",
        "event",
    )
    writer = csv.writer(target)
    writer.writerow(names)
    found = 0
    for found, hit in enumerate(hits, start=1):  # noqa: B007
        row = plain(hit)
        row["tags"] = " ".join(row["tags"])
        row["event"] = orjson.dumps(row["event"], option=orjson.OPT_NON_STR_KEYS).decode()
        writer.writerow([_harmless(str(row[name])) for name in names])
    return found


def _harmless(cell: str) -> str:
    """A cell no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{cell}" if cell[:1] in "=+-@\t\r" else cell


def _write_timeline(hits: Iterable[HuntHit], target: TextIO) -> int:
    ordered = sorted(hits, key=lambda hit: hit.time)
    for hit in ordered:
        target.write(
            f"{plain(hit.time)}  {hit.level.value:<13}  {_line(hit.source)}  {_line(hit.rule_title)}"
            f"  [{_line(hit.file)}#{hit.record_id}]\n"
        )
    return len(ordered)


def _line(text: str) -> str:
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _write_table(hits: Iterable[HuntHit], target: TextIO) -> int:
    rules: dict[str, list[Any]] = {}
    found = 0
    for found, hit in enumerate(hits, start=1):  # noqa: B007
        row = rules.setdefault(
            hit.rule_id, [hit.level, hit.rule_title, 0, hit.time, hit.time, set()]
        )
        row[2] += 1
        row[3], row[4] = min(row[3], hit.time), max(row[4], hit.time)
        row[5].add(hit.source)
    ordered = sorted(rules.values(), key=lambda row: (-row[0].rank, -row[2], row[1]))
    rows = [
        (level.value, title, count, first, last, ", ".join(sorted(sources)[:3]))
        for level, title, count, first, last, sources in ordered
    ]
    columns = ("level", "rule", "hits", "first", "last", "sources")
    if target is sys.stdout:
        print_table("", columns, rows)
    else:
        buffer = io.StringIO()
        csv.writer(buffer, delimiter="\t").writerows([columns, *rows])
        target.write(buffer.getvalue())
    return found


_WRITERS = {
    Form.TABLE: _write_table,
    Form.NDJSON: _write_ndjson,
    Form.CSV: _write_csv,
    Form.TIMELINE: _write_timeline,
}
