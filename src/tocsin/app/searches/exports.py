"""Gives the events of a search as a file, made in a process of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tocsin.app.access.audit import AuditLog
from tocsin.app.searches.event_export import ExportFormat, written
from tocsin.app.searches.search_process import SearchProcesses
from tocsin.app.searches.search_worker import Send
from tocsin.store.ports import EventStore, StateStore
from tocsin.store.query import EventQuery
from tocsin.store.stop_signal import StopSignal


@dataclass(frozen=True, slots=True)
class AskedExport:
    """All events of ``query``, written as ``how``; ``columns`` as ``ExportFormat.columns`` has them."""

    query: EventQuery
    how: ExportFormat
    columns: tuple[str, ...] | None

    def run(self, events: EventStore, send: Send) -> None:
        """Sends ``(total, problems)``, then the file in pieces."""
        with events.stream(self.query, self.columns, StopSignal()) as stream:
            send((stream.total, stream.problems))
            for piece in written(stream.batches, self.how, self.columns):
                send(piece)


@dataclass(frozen=True, slots=True)
class Export:
    """A file on its way: ``pieces`` are to be taken to the end or closed.

    ``problems`` name segments whose events are missing in it.
    """

    total: int
    problems: tuple[str, ...]
    pieces: Iterator[bytes]


def note_export(
    state: StateStore, audit: AuditLog, *, how: str, text: str, by: str, now: datetime
) -> None:
    """Tell the audit chain that events leave the house: as what, and by which question."""
    with state.begin() as tx:
        audit.append(
            tx,
            actor=by,
            action="events.export",
            subject=how,
            detail=text[:1000],
            outcome="done",
            now=now,
        )


def begin_export(processes: SearchProcesses, asked: AskedExport, stop: StopSignal) -> Export:
    """Begin; raises what is wrong with the query before a byte is given."""
    parts = processes.parts(asked, stop)
    total, problems = next(parts)
    return Export(total, problems, parts)
