"""Which native fields have ever had a value, by lane and source."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import structlog
from sqlalchemy import Connection, select, update

from tocsin.ingest.sources.tables import seen_fields
from tocsin.model.event import EventBatch

_log = structlog.get_logger()
_REFRESH = timedelta(minutes=10)
"""How old a lane and source's last sighting grows before its fields are looked at again."""
_MOST_FIELDS = 5_000
"""Fields kept of a lane and source: beyond it a sender makes up names, no rule asks for those.

Those that were there first stay."""

_KNOWN = timedelta(days=1)
"""What a lane and source shows in its first day is no news."""
_FRESH = timedelta(hours=1)
_MOST_FRESH = 200

Codes = npt.NDArray[np.int64]
Fields = dict[str, dict[str, frozenset[str]]]


class SeenFields:
    """Keeps the field paths of each (tenant, lane, source), looking again every ten minutes.

    A field seen for the first time is kept at once when the events bring columns their lane and
    source have not had before. For one thread at a time.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], tuple[datetime, frozenset[str]]] = {}
        self._columns: dict[tuple[str, str, str], frozenset[str]] = {}

    def add(self, tx: Connection, batches: Sequence[EventBatch], now: datetime) -> None:
        """Take in what the batches show; writes only what is new or grown old."""
        for batch in batches:
            columns = frozenset(_paths_of(batch.native.schema))
            names = batch.sources.dictionary_encode()
            keys = [(batch.tenant, batch.lane.id, name) for name in names.dictionary.to_pylist()]
            stale = [code for code, key in enumerate(keys) if not self._is_fresh(key, columns, now)]
            if not stale:
                continue
            codes = names.indices.to_numpy(zero_copy_only=False)
            filled = _paths_with_values(batch.native, codes, len(keys))
            for code in stale:
                key = keys[code]
                self._write(tx, key, (path for path, has in filled.items() if has[code]), now)
                known = self._columns.get(key, frozenset())
                self._columns[key] = known | columns if len(known) < _MOST_FIELDS else columns

    def forget(self) -> None:
        """Look at everything anew: what was added in a transaction that failed isn't kept."""
        self._known.clear()
        self._columns.clear()

    def fields(self, tx: Connection, tenant: str = "default") -> Fields:
        """By lane id and source, the paths seen."""
        found: Fields = {}
        query = select(seen_fields).where(seen_fields.c.tenant == tenant)
        for row in tx.execute(query.order_by(seen_fields.c.lane, seen_fields.c.source)):
            found.setdefault(row.lane, {})[row.source] = frozenset(row.fields)
        return found

    def tenants(self, tx: Connection) -> list[str]:
        """Those of which any field was seen."""
        return list(tx.scalars(select(seen_fields.c.tenant).distinct().order_by("tenant")))

    def as_of(self, tx: Connection) -> tuple[tuple[object, ...], ...]:
        """Something that differs whenever what was seen may have changed."""
        columns = seen_fields.c
        query = select(columns.tenant, columns.lane, columns.source, columns.last_seen)
        return tuple(tuple(row) for row in tx.execute(query.order_by(*query.selected_columns)))

    def _is_fresh(self, key: tuple[str, str, str], columns: frozenset[str], now: datetime) -> bool:
        known = self._known.get(key)
        return (
            known is not None
            and now - known[0] < _REFRESH
            and (len(known[1]) >= _MOST_FIELDS or columns <= self._columns.get(key, frozenset()))
        )

    def _write(
        self, tx: Connection, key: tuple[str, str, str], seen: Iterable[str], now: datetime
    ) -> None:
        tenant, lane, source = key
        here = (
            (seen_fields.c.tenant == tenant)
            & (seen_fields.c.lane == lane)
            & (seen_fields.c.source == source)
        )
        row = tx.execute(select(seen_fields).where(here)).one_or_none()
        before = frozenset(row.fields) if row is not None else frozenset()
        shown = frozenset(seen)
        together = [*sorted(before), *sorted(shown - before)][:_MOST_FIELDS]
        if len(together) == _MOST_FIELDS and len(before) < _MOST_FIELDS:
            _log.warning("source_fields_full", source=source, lane=lane, most=_MOST_FIELDS)
        if row is None:
            values = {"tenant": tenant, "lane": lane, "source": source, "first_seen": now}
            tx.execute(seen_fields.insert().values(**values, fields=together, last_seen=now))
        else:
            values = {"fields": together, "last_seen": now}
            is_known = now - row.first_seen >= _KNOWN
            values["fresh"] = _fresh(row.fresh, shown - before if is_known else (), now)
            tx.execute(update(seen_fields).where(here).values(values))
        self._known[key] = (now, frozenset(together))


def new_fields(tx: Connection, now: datetime) -> dict[tuple[str, str], dict[str, str]]:
    """By tenant and source, the fields first sent within the last hour, with their lane.

    Every source of which fields were seen is there. What one shows in its first day is not new.
    """
    columns = seen_fields.c
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in tx.execute(select(columns.tenant, columns.source, columns.lane, columns.fresh)):
        mine = found.setdefault((row.tenant, row.source), {})
        mine.update(dict.fromkeys(_fresh(row.fresh, (), now), row.lane))
    return found


def _fresh(before: dict[str, str], shown: Iterable[str], now: datetime) -> dict[str, str]:
    """Paths with the time of their first sight, without those that are no longer fresh."""
    kept = {
        path: seen for path, seen in before.items() if now - datetime.fromisoformat(seen) < _FRESH
    }
    fresh = kept | dict.fromkeys(sorted(shown), now.isoformat())
    return dict(list(fresh.items())[:_MOST_FRESH])


def _paths_of(schema: pa.Schema) -> Iterator[str]:
    for field in schema:
        yield from _paths_in(field.name, field.type)


def _paths_in(path: str, kind: pa.DataType) -> Iterator[str]:
    yield path
    while pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    if pa.types.is_struct(kind):
        for index in range(kind.num_fields):
            inner = kind.field(index)
            yield from _paths_in(f"{path}.{inner.name}", inner.type)


def _paths_with_values(native: pa.RecordBatch, codes: Codes, sources: int) -> dict[str, Codes]:
    """Of each path how many values each source has, by the sources' codes of the rows."""
    found: dict[str, Codes] = {}
    for name, array in zip(native.schema.names, native.columns, strict=True):
        found.update(_values_below(name, array, codes, sources))
    return found


def _values_below(
    path: str, array: pa.Array, codes: Codes, sources: int
) -> Iterator[tuple[str, Codes]]:
    while pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        codes = codes[pc.list_parent_indices(array).to_numpy(zero_copy_only=False)]
        array = pc.list_flatten(array)
    if array.null_count == len(array):
        return
    mine = codes
    if array.null_count:
        mine = codes[array.is_valid().to_numpy(zero_copy_only=False)]
    yield path, np.bincount(mine, minlength=sources)
    if pa.types.is_struct(array.type):
        for index in range(array.type.num_fields):
            inner = f"{path}.{array.type.field(index).name}"
            field = pc.struct_field(array, [index])
            yield from _values_below(inner, field, codes, sources)
