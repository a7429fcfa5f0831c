"""``tocsin ingest``: take files in, with or without a running server."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tocsin.app.collector import spare_long_lived
from tocsin.app.wiring import Tocsin
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import Exit, byte_progress, err, out, print_json
from tocsin.cli.remote import Remote
from tocsin.cli.resuming import InFlight, once_key, taken_files
from tocsin.ingest.cutting.files import read_paths
from tocsin.ingest.decode import decode
from tocsin.ingest.files.taken_files import TakenFiles, read_on
from tocsin.model.record import RawBatch, Unreadable
from tocsin.store.ports import WorkQueue

app = typer.Typer()

_TURN_BYTES = 8 * 1024 * 1024


@app.command("ingest")
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.", metavar="PATH...")],
    source: Annotated[
        str | None, typer.Option("--source", help="Name of the source (default: the file's name).")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Leave out what an earlier run with --resume took of these files."
        ),
    ] = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take log files in: EVTX, JSON lines or arrays, CloudTrail, syslog, Zeek, access logs; gzip and zstd too.

    What a file holds is told from its content. A record that can't be read is kept in quarantine
    with its reason. When a server runs on the data folder the records go to it; else they are
    worked on here, up to the alerts.

    With --resume a run that was cut off, however, is begun again with the same command: each
    record is stored once. A file that has changed since is refused.
    """
    started = time.monotonic()
    facts = server_of(home, config)
    counts: Counter[str] = Counter()
    problems: list[Unreadable] = []
    if facts:
        book = taken_files(settings_for(home, config).home) if resume else None
        with _reading(paths, source, book) as items:
            _send(Remote(facts), items, counts, problems, once=resume)
    else:
        house = open_house(home, config)
        spare_long_lived()
        try:
            book = taken_files(house.settings.home) if resume else None
            with _reading(paths, source, book, house.spool) as items:
                _take_in(house, items, counts, problems)
        finally:
            house.close()
    _report(counts, problems, time.monotonic() - started, as_json, remote=bool(facts))
    raise typer.Exit(
        Exit.BAD_CONTENT if counts["unreadable"] and not counts["records"] else Exit.DONE
    )


@contextmanager
def _reading(
    paths: list[Path],
    source: str | None,
    book: TakenFiles | None,
    spool: WorkQueue | None = None,
) -> Iterator[Iterator[RawBatch | Unreadable]]:
    now = datetime.now(UTC)
    with byte_progress() as progress:
        task = progress.add_task("taking in", total=None)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        if book is None:
            yield read_paths(paths, source, now, tell)
        else:
            place = InFlight(spool, book.position)
            yield read_on(paths, source, now, book, place.holds, place.position, tell)


def _take_in(
    house: Tocsin,
    items: Iterator[RawBatch | Unreadable],
    counts: Counter[str],
    problems: list[Unreadable],
) -> None:
    before = house.flow.counts
    start = (before.records, before.unreadable, before.findings)
    waiting: list[RawBatch] = []
    for item in items:
        if isinstance(item, Unreadable):
            problems.append(item)
            house.flow.add_unreadable([item])
            continue
        house.spool.append([item])
        waiting.append(item)
        if sum(len(batch.payload) for batch in waiting) >= _TURN_BYTES:
            problems += _worked_on(house, waiting)
            waiting = []
    problems += _worked_on(house, waiting)
    house.upkeep.keep_store()
    after = house.flow.counts
    counts["records"] = after.records - start[0]
    counts["unreadable"] = after.unreadable - start[1]
    counts["findings"] = after.findings - start[2]


def _worked_on(house: Tocsin, batches: list[RawBatch]) -> list[Unreadable]:
    """Let the flow work; what it could not read of the batches, for the report."""
    before = house.flow.counts.unreadable
    house.flow.drain()
    if house.flow.counts.unreadable == before:
        return []
    return [problem for batch in batches for problem in decode(batch).unreadable]


def _send(
    remote: Remote,
    items: Iterator[RawBatch | Unreadable],
    counts: Counter[str],
    problems: list[Unreadable],
    *,
    once: bool,
) -> None:
    for item in items:
        if isinstance(item, Unreadable):
            problems.append(item)
            remote.post(
                "/api/v1/quarantine",
                content=item.payload,
                source=item.source,
                place=item.place,
                ordinal=item.ordinal,
                reason=item.reason,
            )
            counts["unreadable"] += 1
            counts["records"] += 1
            continue
        answer = remote.post(
            "/api/v1/events",
            content=item.payload,
            source=item.source,
            framing=item.framing.value,
            place=item.place,
            first_ordinal=item.first_ordinal,
            once=once_key(item) if once else "",
        )
        counts["records"] += answer["accepted"] + answer["unreadable"]
        counts["unreadable"] += answer["unreadable"]
        if answer["unreadable"]:
            problems.extend(decode(item).unreadable)


def _report(
    counts: Counter[str],
    problems: list[Unreadable],
    seconds: float,
    as_json: bool,
    *,
    remote: bool,
) -> None:
    if as_json:
        document: dict[str, Any] = {
            "records": counts["records"],
            "unreadable": counts["unreadable"],
            "problems": [
                {"place": item.place, "record": item.ordinal, "reason": item.reason}
                for item in problems
            ],
            "seconds": round(seconds, 3),
        }
        if not remote:
            document["findings"] = counts["findings"]
        print_json(document)
        return
    for item in problems[:20]:
        err.print(f"unreadable: {item.place}: record {item.ordinal}: {item.reason}", markup=False)
    if len(problems) > 20:
        err.print(f"… and {len(problems) - 20} more; see: tocsin sources quarantine", markup=False)
    said = f"{counts['records']} records in {seconds:.1f} s"
    if counts["unreadable"]:
        said += f", {counts['unreadable']} of them unreadable and kept in quarantine"
    said += ", sent to the running server" if remote else f", {counts['findings']} findings"
    out.print(said, markup=False)
