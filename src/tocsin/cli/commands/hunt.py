"""``tocsin hunt``: run Sigma rules over files; no server, no state."""

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import orjson
import typer

from tocsin.app.shipped import CONTENT, cache_folder, open_normalizer
from tocsin.cli.output import Exit, byte_progress, err, fail, item_progress, print_table
from tocsin.detect.engine import Engine
from tocsin.detect.hunt import HuntRow, ndjson_line
from tocsin.detect.hunt import hunt as hunt_in
from tocsin.detect.ruleset import RuleSet, load_rules
from tocsin.ingest.decode import decode
from tocsin.ingest.files import read_paths
from tocsin.model.event import EventBatch
from tocsin.model.record import Origin, RawBatch, Unreadable
from tocsin.model.severity import Level
from tocsin.normalize.normalizer import Normalizer

app = typer.Typer()


class Form(StrEnum):
    """How the hits are written."""

    TABLE = "table"
    NDJSON = "ndjson"
    CSV = "csv"
    TIMELINE = "timeline"


@app.command("hunt")
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
    hits = hunt_in(_batches(paths, counts), Engine(ruleset), level=level)
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


def _batches(paths: list[Path], counts: Counter[str]) -> Iterator[tuple[str, EventBatch]]:
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
            for batch in _normalized(item, number, normalizer, counts):
                yield item.place, batch


def _normalized(
    item: RawBatch, number: int, normalizer: Normalizer, counts: Counter[str]
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
    return normalizer.normalize(decoded, origin)


def _tell(problem: Unreadable, counts: Counter[str]) -> None:
    counts["unreadable"] += 1
    if counts["unreadable"] <= 20:
        err.print(
            f"unreadable: {problem.place}: record {problem.ordinal}: {problem.reason}", markup=False
        )


def _write_ndjson(hits: Iterable[HuntRow], target: TextIO) -> int:
    found = 0
    for found, hit in enumerate(hits, start=1):  # noqa: B007
        target.write(ndjson_line(hit).decode())
    return found


def _write_csv(hits: Iterable[HuntRow], target: TextIO) -> int:
    writer = csv.writer(target)
    writer.writerow(_CSV_COLUMNS)
    found = 0
    for found, hit in enumerate(hits, start=1):  # noqa: B007
        cells = {**hit, "tags": " ".join(map(str, _listed(hit["tags"]))), "event": _event_text(hit)}
        writer.writerow([_harmless(str(cells[name])) for name in _CSV_COLUMNS])
    return found


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _event_text(hit: HuntRow) -> str:
    return orjson.dumps(hit["event"], default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _harmless(cell: str) -> str:
    """A cell no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{cell}" if cell[:1] in tuple("=+-@\t\r") else cell


def _write_timeline(hits: Iterable[HuntRow], target: TextIO) -> int:
    lines = sorted(
        f"{hit['time']}  {hit['level']:<13}  {_line(hit['source'])}  {_line(hit['rule_title'])}"
        f"  [{_line(hit['file'])}#{_line(hit['record_id'])}]"
        for hit in hits
    )
    target.writelines(f"{line}\n" for line in lines)
    return len(lines)


def _line(value: object) -> str:
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in str(value))


@dataclass(slots=True)
class _RuleHits:
    """What one rule found."""

    level: Level
    title: str
    first: str
    last: str
    count: int = 0
    sources: set[str] = field(default_factory=set)

    def add(self, hit: HuntRow) -> None:
        time = str(hit["time"])
        self.count += 1
        self.first, self.last = min(self.first, time), max(self.last, time)
        self.sources.add(str(hit["source"]))


def _write_table(hits: Iterable[HuntRow], target: TextIO) -> int:
    rules: dict[object, _RuleHits] = {}
    for hit in hits:
        rule = rules.get(hit["rule_id"])
        if rule is None:
            time = str(hit["time"])
            rule = _RuleHits(Level(str(hit["level"])), str(hit["rule_title"]), time, time)
            rules[hit["rule_id"]] = rule
        rule.add(hit)
    ordered = sorted(rules.values(), key=lambda rule: (-rule.level.rank, -rule.count, rule.title))
    rows = [
        (rule.level.value, rule.title, rule.count, rule.first, rule.last, _some(rule.sources))
        for rule in ordered
    ]
    columns = ("level", "rule", "hits", "first", "last", "sources")
    if target is sys.stdout:
        print_table("", columns, rows)
    else:
        csv.writer(target, delimiter="\t").writerows([columns, *rows])
    return sum(rule.count for rule in rules.values())


def _some(sources: set[str]) -> str:
    shown = ", ".join(sorted(sources)[:3])
    return shown if len(sources) <= 3 else f"{shown} and {len(sources) - 3} more"


_CSV_COLUMNS = (
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
_WRITERS = {
    Form.TABLE: _write_table,
    Form.NDJSON: _write_ndjson,
    Form.CSV: _write_csv,
    Form.TIMELINE: _write_timeline,
}
