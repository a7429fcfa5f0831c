"""Writes the events of a search, or rows of SQL, to a file or stdout, with progress on stderr."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from httpx2 import Response

from tocsin.app.searches.event_export import ExportFormat
from tocsin.app.searches.exports import AskedExport, Export, begin_export, note_export
from tocsin.app.searches.sql_export import AskedSqlExport, begin_sql_export
from tocsin.cli.data_folder import open_house
from tocsin.cli.output import Exit, err, fail, item_progress
from tocsin.cli.remote import Remote
from tocsin.store.ports import QueryError, StoreError
from tocsin.store.stop_signal import StopSignal


def write_events(
    asked: AskedExport | AskedSqlExport,
    output: Path | None,
    facts: dict[str, str] | None,
    home: Path | None,
    config: Path | None,
) -> None:
    """Every event or row, of the running server (``facts``) or of the data folder itself."""
    with _opened(output) as file, _begun(facts, asked, home, config) as export:
        _write(export, asked.how, file)
    if output is not None:
        events = f"{export.total:,} events" if isinstance(asked, AskedExport) else "all rows"
        err.print(f"{events} written to {output}", markup=False)
    if export.problems:
        fail("the export is not whole: see the problems above")


def _write(export: Export, how: ExportFormat, file: BinaryIO) -> None:
    for problem in export.problems:
        err.print(problem, markup=False)
    lines = 0
    with item_progress() as progress:
        task = progress.add_task("Exporting", total=export.total or None)
        for piece in export.pieces:
            file.write(piece)
            lines += piece.count(b"\n")
            if how is ExportFormat.NDJSON:
                progress.update(task, completed=min(lines, export.total or lines))


@contextmanager
def _begun(
    facts: dict[str, str] | None,
    asked: AskedExport | AskedSqlExport,
    home: Path | None,
    config: Path | None,
) -> Iterator[Export]:
    """The export of the running server, or of the data folder itself."""
    if facts:
        with _asked_of(Remote(facts), asked) as answer:
            told = unquote(answer.headers["x-tocsin-problems"])
            total = int(answer.headers.get("x-tocsin-total", 0))
            yield Export(total, (told,) if told else (), answer.iter_bytes())
        return
    house = open_house(home, config)
    try:
        if isinstance(asked, AskedSqlExport):
            export = begin_sql_export(house.searching.exports, asked, StopSignal())
            how, text = f"sql {asked.how.value}", asked.statement
        else:
            export = begin_export(house.searching.exports, asked, StopSignal())
            how, text = asked.how.value, asked.query.text
        by, now = getpass.getuser(), datetime.now(UTC)
        note_export(house.state, house.audit, how=how, text=text, by=by, now=now)
        yield export
    finally:
        house.close()


def _asked_of(
    remote: Remote, asked: AskedExport | AskedSqlExport
) -> AbstractContextManager[Response]:
    query = asked.within if isinstance(asked, AskedSqlExport) else asked.query
    start, end = (moment.isoformat() if moment else None for moment in (query.start, query.end))
    if isinstance(asked, AskedSqlExport):
        question = {"sql": asked.statement, "q": query.text, "from": start, "to": end}
        return remote.stream("/api/v1/search/sql/export", json=question, format=asked.how.value)
    columns = ",".join(asked.columns or ())
    params = {"q": query.text, "from": start, "to": end, "format": asked.how.value}
    return remote.stream("/api/v1/search/export", **params, columns=columns)


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
