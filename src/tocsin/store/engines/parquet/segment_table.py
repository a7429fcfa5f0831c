"""The rows of segments as one table, also of those whose hot columns were others."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from tocsin.store.engines.parquet.duckdb_reader import parquet
from tocsin.store.engines.parquet.event_queries import FILE, ROW
from tocsin.store.engines.parquet.segment_file import LAYOUT, layout_of, plain_schema
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS

Table = exp.Table | exp.Subquery
Part = tuple[exp.Expr, list[str]]
"""A condition and the files it is asked of."""

_KIND = {**ENVELOPE, **{column.name: column.type for column in HOT_COLUMNS}, "raw": "BLOB"}
_PATH = {column.name: column.path for column in HOT_COLUMNS}


def events_in(paths: Sequence[str]) -> Table:
    """The table of all rows of the files (each with ``filename`` and ``file_row_number``)."""
    return rows_where([(exp.true(), list(paths))])


def rows_where(parts: Sequence[Part]) -> Table:
    """The table of those rows of each part's files of which its condition is true."""
    by_layout: list[tuple[str, exp.Expr, list[str]]] = []
    for condition, paths in parts:
        sorted_paths: dict[str, list[str]] = {}
        for path in paths:
            sorted_paths.setdefault(layout_of(path), []).append(path)
        by_layout += [(layout, condition, some) for layout, some in sorted_paths.items()]
    if len(by_layout) == 1 and by_layout[0][0] == LAYOUT and by_layout[0][1] == exp.true():
        return parquet(by_layout[0][2])
    selects = [
        exp.select("*").from_(_of_layout(layout, paths).as_("rows")).where(condition)
        if layout != LAYOUT
        else exp.select(exp.Star(), FILE.copy(), ROW.copy()).from_(parquet(paths)).where(condition)
        for layout, condition, paths in by_layout
    ]
    whole: exp.Query = selects[0]
    for one in selects[1:]:
        whole = exp.Union(this=whole, expression=one, distinct=False, by_name=True)
    return whole.subquery("events")


def _of_layout(layout: str, paths: Sequence[str]) -> exp.Subquery:
    """Rows of files of an older layout, with the columns of today's."""
    stored = _stored_kinds(paths)
    columns = [
        exp.alias_(_as_today(name, stored), name, quoted=True) for name in plain_schema().names
    ]
    variants = [exp.column(name, quoted=True) for name in ("ocsf", "native")]
    names = [FILE.copy(), ROW.copy()]
    return exp.select(*columns, *variants, *names).from_(parquet(paths)).subquery("rows")


def _as_today(name: str, stored: Mapping[str, pa.DataType]) -> exp.Expr:
    column = exp.column(name, quoted=True)
    if name in stored and stored[name] == plain_schema().field(name).type:
        return column
    kind = exp.DataType.build(_KIND[name], dialect="duckdb")
    if name in stored:
        return exp.TryCast(this=column, to=kind)
    if name not in _PATH:
        return exp.Cast(this=exp.null(), to=kind)
    field = [exp.column("ocsf", quoted=True), exp.Literal.string(_PATH[name])]
    text = exp.cast(exp.Anonymous(this="variant_extract", expressions=field), "VARCHAR")
    return exp.TryCast(this=text, to=kind)


def _stored_kinds(paths: Sequence[str]) -> Mapping[str, pa.DataType]:
    """Columns of files that all have the same ones; none when no file can be read."""
    for path in paths:
        try:
            return {field.name: field.type for field in pq.read_schema(Path(path))}
        except (OSError, pa.ArrowException):
            continue  # the query finds out and tells which file is damaged
    return {}
