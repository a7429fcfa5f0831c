"""Takes apart what was decoded of several payloads together."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from tocsin.ingest.columns.decode_lazy import LazyLines, LazyRecords
from tocsin.ingest.columns.decode_lines import Numbers
from tocsin.model.record import Decoded, RawBatch, Unreadable
from tocsin.model.shaped_records import ShapedGroup, ShapedRecords, ShapedTable


def divided(whole: Decoded, batches: Sequence[RawBatch]) -> list[Decoded]:
    """What ``decode`` makes of each batch, from what it made of their payloads, a line between each."""
    sizes = [batch.payload.count(b"\n") + 1 for batch in batches]
    lines = np.cumsum([0, *sizes])
    bounds = np.searchsorted(np.asarray(whole.ordinals, np.int64), lines).tolist()
    unreadable = _shares([one.ordinal for one in whole.unreadable], lines)
    loose = list(whole.shaped.loose) if whole.shaped is not None else []
    loose_shares = _shares(loose, bounds)
    return [
        _part(
            *(whole, batch, (start, end), first),
            whole.unreadable[slice(*bad)],
            loose[slice(*rows)],
        )
        for batch, start, end, first, bad, rows in zip(
            *(batches, bounds, bounds[1:], lines.tolist(), unreadable, loose_shares), strict=False
        )
    ]


def _shares(ascending: Sequence[int], bounds: Sequence[int] | Numbers) -> list[tuple[int, int]]:
    """Where the numbers from one bound to the next begin and end."""
    cuts = np.searchsorted(np.asarray(ascending, np.int64), bounds).tolist()
    return list(pairwise(cuts))


def _part(
    whole: Decoded,
    batch: RawBatch,
    rows: tuple[int, int],
    first: int,
    unreadable: Sequence[Unreadable],
    loose: Sequence[int],
) -> Decoded:
    start, end = rows
    own = whole.lines
    kept = own.part(start, end) if isinstance(own, LazyLines) else own[start:end]
    records = whole.records
    return Decoded(
        records=records.of(kept) if isinstance(records, LazyRecords) else records[start:end],
        lines=kept,
        ordinals=[ordinal - first for ordinal in whole.ordinals[start:end]],
        unreadable=[
            replace(
                one,
                source=batch.source,
                place=batch.place,
                ordinal=batch.first_ordinal + one.ordinal - first,
            )
            for one in unreadable
        ],
        keep_raw=frozenset(row - start for row in whole.keep_raw if start <= row < end),
        shaped=None if whole.shaped is None else _rows_of(whole.shaped, start, end, loose),
    )


def _rows_of(
    shaped: ShapedRecords, start: int, end: int, loose_rows: Sequence[int]
) -> ShapedRecords:
    tables: list[ShapedTable] = []
    for table in shaped.tables:
        begin, stop = np.searchsorted(table.rows, (start, end)).tolist()
        if begin < stop:
            columns = tuple(column.slice(begin, stop - begin) for column in table.columns)
            rows = table.rows[begin:stop] - start
            tables.append(replace(table, rows=rows, columns=columns))
    groups: list[ShapedGroup] = []
    for group in shaped.groups:
        some = slice(*np.searchsorted(group.rows, (start, end)).tolist())
        if some.start < some.stop:
            cells = group.texts[some], group.scalars[some]
            groups.append(ShapedGroup(group.template, group.rows[some] - start, *cells))
    loose = {row - start: shaped.loose[row] for row in loose_rows}
    return ShapedRecords(shaped.texts, shaped.scalars, tuple(groups), loose, tuple(tables))
