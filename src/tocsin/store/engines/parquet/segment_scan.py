"""Runs a query over segments, leaving out damaged ones and naming them."""

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import structlog
from sqlglot import exp

from tocsin.store.engines.parquet.cold_shelf import Hold
from tocsin.store.engines.parquet.duckdb_reader import DuckDbReader, Rows
from tocsin.store.engines.parquet.event_queries import ROW
from tocsin.store.engines.parquet.narrowing import Narrowing
from tocsin.store.engines.parquet.segment_file import checksum
from tocsin.store.engines.parquet.segment_places import is_cold, is_quarantined
from tocsin.store.engines.parquet.segment_table import Part, Table, events_in, rows_where
from tocsin.store.engines.state import manifest
from tocsin.store.ports import QueryError, Segment, StateStore
from tocsin.store.stop_signal import StopSignal

_log = structlog.get_logger()
_ABOUT_THE_QUERY = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
    duckdb.OutOfMemoryException,
    duckdb.OutOfRangeException,
    duckdb.ParserException,
    duckdb.PermissionException,
)

Query = Callable[[Table], exp.Expr]
RowsAt = Mapping[str, Sequence[int]]
"""Numbers of rows by the id of their segment."""
_SHOWN = 3
_MEND = (
    "; put the file back from a backup (tocsin admin check --mend-from BACKUP) and check the disk"
)


class SegmentsChanged(Exception):
    """A segment was merged away between the look at the manifest and the look at the file."""


@dataclass(slots=True)
class Scan:
    """One query's look at segments; ``problems`` say which could not be read and why.

    With a ``narrowing`` the tables of ``rows`` hold only the events that match the query, and
    ``segments`` are only those that may have some; ``spanned`` are all.
    """

    folder: Path
    state: StateStore
    reader: DuckDbReader
    segments: list[Segment]
    stop: StopSignal | None = None
    narrowing: Narrowing | None = None
    cold: Hold | None = None
    problems: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)
    spanned: list[Segment] = field(default_factory=list)
    _damaged: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for segment in filter(is_quarantined, self.segments):
            self._leave_out(segment, "is damaged and in quarantine")
        self.segments = [one for one in self.segments if not is_quarantined(one)]
        self.spanned = self.segments

    def narrow(self, narrowing: Narrowing) -> None:
        """Look only at events that match the query, and only at segments that may have some."""
        self.narrowing = narrowing
        self.segments = [one for one in self.segments if narrowing.may_hold(one)]

    def path(self, segment: Segment) -> str:
        return str(self.folder / segment.path)

    def rows(
        self,
        build: Query,
        segments: Sequence[Segment] | None = None,
        *,
        at: RowsAt | None = None,
    ) -> Rows:
        """The rows of ``build`` over ``segments`` (all when None), damaged ones left out.

        ``at``: over the events that lie there, instead of those that match the query.
        Raises ``SegmentsChanged`` when a segment has been merged away, ``QueryError`` when the
        query itself can't be run.
        """
        chosen = self.segments if segments is None else segments
        whole = self.at_hand(chosen)
        if not whole:
            return []
        try:
            return self.reader.rows(build(self._table(whole, at)), self.stop)
        except _ABOUT_THE_QUERY as error:
            raise QueryError(f"the query can't be run: {_first_line(error)}") from error
        except duckdb.Error as error:
            self._set_damaged_aside(whole, build, error, at)
            return self.rows(build, chosen, at=at)

    def _table(self, segments: Sequence[Segment], at: RowsAt | None = None) -> Table:
        if at is not None:  # a question to each file: one to all would read all of their rows
            return rows_where(
                [(ROW.copy().isin(*at[one.id]), [self.path(one)]) for one in segments]
            )
        if self.narrowing is None:
            return events_in([self.path(segment) for segment in segments])
        parts: dict[Hashable, Part] = {}
        for segment in segments:
            key = self.narrowing.asked_alike(segment)
            if key not in parts:
                parts[key] = self.narrowing.condition(segment), []
            parts[key][1].append(self.path(segment))
        return rows_where(list(parts.values()))

    def files(self) -> list[str]:
        """The files of all segments whose content is as it was written."""
        return [self.path(segment) for segment in self.at_hand(self.segments)]

    def at_hand(self, segments: Sequence[Segment]) -> list[Segment]:
        """Those that are not damaged, cold ones brought here; what can't be brought is told."""
        whole = [segment for segment in segments if segment.id not in self._damaged]
        reasons = self.cold.bring(whole) if self.cold is not None else {}
        for segment in whole:
            if segment.id in reasons:
                self._leave_out(segment, reasons[segment.id], "")
        return [segment for segment in whole if segment.id not in reasons]

    def set_aside(self, error: duckdb.Error) -> None:
        """Find what is damaged after a query over all ``files`` failed with ``error``."""
        self._set_damaged_aside(
            [segment for segment in self.segments if segment.id not in self._damaged], None, error
        )

    def _set_damaged_aside(
        self,
        segments: Sequence[Segment],
        build: Query | None,
        error: duckdb.Error,
        at: RowsAt | None = None,
    ) -> None:
        suspects = [s for s in segments if build is None or self._fails(s, build, at)]
        with self.state.read() as tx:
            counting = manifest.paths(tx)
        found = False
        for segment in suspects:
            reason = self._fault(segment)
            if reason and segment.path not in counting:
                raise SegmentsChanged
            if reason and is_cold(segment):
                (self.folder / segment.path).unlink(missing_ok=True)  # the bucket has it whole
                raise SegmentsChanged
            if reason:
                found = True
                self._leave_out(segment, reason)
                _log.error("a segment is damaged", segment=segment.path, reason=reason)
        if not found:
            raise QueryError(f"the query can't be run: {_first_line(error)}") from error

    def _leave_out(self, segment: Segment, reason: str, advice: str = _MEND) -> None:
        self._damaged.add(segment.id)
        times = f"{segment.first_time:%Y-%m-%d %H:%M} to {segment.last_time:%Y-%m-%d %H:%M} UTC"
        self.problems.append(
            f"segment {segment.path} {reason}: its {segment.rows:,} events of "
            f"{_some(segment.sources)}, {times}, are missing from this answer{advice}"
        )

    def _fails(self, segment: Segment, build: Query, at: RowsAt | None) -> bool:
        try:
            self.reader.rows(build(self._table([segment], at)), self.stop)
        except duckdb.Error:
            return True
        return False

    def _fault(self, segment: Segment) -> str:
        path = self.folder / segment.path
        try:
            return "" if checksum(path) == segment.checksum else "is not what was written"
        except FileNotFoundError:
            return "is gone"
        except OSError as error:
            return f"can't be read ({error.strerror})"


def _first_line(error: duckdb.Error) -> str:
    return str(error).partition("\n")[0]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
