"""Writes the events of a search to a file or to stdout, with progress on stderr."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from tocsin.app.event_export import ExportFormat
from tocsin.app.exports import AskedExport, Export, begin_export, note_export
from tocsin.cli.data_folder import open_house
from tocsin.cli.output import Exit, err, fail, item_progress
from tocsin.cli.remote import Remote
from tocsin.store.ports import QueryError, StoreError
from tocsin.store.stop_signal import StopSignal


def write_events(
    asked: AskedExport,
    output: Path | None,
    facts: dict[str, str] | None,
    home: Path | None,
    config: Path | None,
) -> None:
    """Every event of a search of the running server (``facts``) or of the data folder itself."""
    with _opened(output) as file, _begun(facts, asked, home, config) as export:
        _write(export, asked.how, file)
    if output is not None:
        err.print(f"{export.total:,} events written to {output}", markup=False)
    if export.problems:
        fail("the export is not whole: see the problems above")


def _write(export: Export, how: ExportFormat, file: BinaryIO) -> None:
    for problem in export.problems:
        err.print(problem, markup=False)
    lines = 0
    with item_progress() as progress:
        task = progress.add_task("Exporting events", total=export.total or None)
        for piece in export.pieces:
            file.write(piece)
            lines += piece.count(b"\n")
            told = min(lines, export.total) if how is ExportFormat.NDJSON else None
            progress.update(task, completed=told)
        progress.update(task, completed=export.total)


@contextmanager
def _begun(
    facts: dict[str, str] | None, asked: AskedExport, home: Path | None, config: Path | None
) -> Iterator[Export]:
    """The export of the running server, or of the data folder itself."""
    if facts:
        start, end = (
            moment.isoformat() if moment else None
            for moment in (asked.query.start, asked.query.end)
        )
        params = {"q": asked.query.text, "from": start, "to": end, "format": asked.how.value}
        columns = ",".join(asked.columns or ())
        with Remote(facts).stream("/api/v1/search/export", **params, columns=columns) as answer:
            told = unquote(answer.headers["x-tocsin-problems"])
            total = int(answer.headers["x-tocsin-total"])
            yield Export(total, (told,) if told else (), answer.iter_bytes())
        return
    house = open_house(home, config)
    try:
        export = begin_export(house.searching.exports, asked, StopSignal())
        now = datetime.now(UTC)
        note_export(house.state, house.audit, asked, by=getpass.getuser(), now=now)
        yield export
    finally:
        house.close()


@contextmanager
def _opened(output: Path | None) -> Iterator[BinaryIO]:
    """A file comes into being only whole."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    draft = output.with_name(f".{output.name}.part")
    try:
        with draft.open("wb") as file:
            yield file
        draft.replace(output)
    except OSError as error:
        fail(f"{output} can't be written: {error.strerror}", Exit.BAD_CONFIGURATION)
    except QueryError:
        raise
    except StoreError as error:
        fail(f"the export broke off and nothing was written to {output}: {error}")
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
