"""What a field name in a query means: which columns, of what kind, in SQL."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from functools import cached_property, partial

from sqlglot import exp

from tocsin.model.field_path import REMAINDER
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS, HotColumn, hot_column_by_name
from tocsin.store.ports import QueryError, SeenField

MARKS = ("\x1f", "\x1e", "\x1d")
"""End the names under which further spellings or types of a field are stored.

A field whose own name ends so gets one more, so that one is taken off again in any case.
"""
ANY_MEMBER = "[]"
"""A key of a field path that means every member of the list."""
EVERY_LANE = "*"
NATIVE = "native."
WHOLE_NATIVE = "native"
"""The field that stands for all native fields of a record together, names and values."""
_MEMBER = "member"


class Kind(Enum):
    """How a column is compared."""

    TEXT = "text"
    PROSE = "prose"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Column:
    """One place a field is stored. ``value`` gives text for ANY; a list of texts if ``is_list``."""

    value: exp.Expr
    kind: Kind
    is_list: bool = False

    @property
    def text(self) -> exp.Expr:
        is_text = self.kind in {Kind.TEXT, Kind.PROSE, Kind.ANY}
        return self.value.copy() if is_text else exp.cast(self.value.copy(), "VARCHAR")


_PROSE = {"message", "status_detail", "script.script_content.value"}
_KINDS = {
    "VARCHAR": Kind.TEXT,
    "INTEGER": Kind.NUMBER,
    "BIGINT": Kind.NUMBER,
    "BOOLEAN": Kind.BOOLEAN,
    "TIMESTAMP": Kind.TIME,
}


def stored_name(name: str) -> str:
    """The name a field is encoded under; ``unmarked`` undoes it."""
    return name + MARKS[0] if name.endswith(MARKS) else name


def unmarked(name: str) -> str:
    return name[:-1] if name.endswith(MARKS) else name


class FieldCatalogue:
    """The fields that queries may name: envelope, hot columns, aliases, and what was seen."""

    def __init__(self, seen: Iterable[SeenField] = ()) -> None:
        self._paths: dict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
        self._lanes: dict[tuple[str, str], set[str]] = defaultdict(set)
        for field in seen:
            keys = [unmarked(key) for key in field.path if key != ANY_MEMBER]
            self._paths[field.space, ".".join(keys)].add(field.path)
            self._lanes[field.space, ".".join(keys)].add(field.lane)

    def columns(self, name: str, at: int | None = None) -> list[Column]:
        """Where ``name`` is stored, best place first; QueryError with near names if unknown."""
        if name in ENVELOPE:
            return [Column(exp.column(name, quoted=True), _KINDS[ENVELOPE[name]])]
        hot = hot_column_by_name().get(name) or self._by_column_name.get(name)
        if hot is not None:
            kind = Kind.PROSE if hot.path in _PROSE else _KINDS[hot.type]
            return [Column(exp.column(hot.name, quoted=True), kind)]
        if name == WHOLE_NATIVE:
            return [self.whole_native()]
        if name.startswith(NATIVE) and len(name) > len(NATIVE):
            return self._native(name.removeprefix(NATIVE))
        found = self._paths.get(("ocsf", name))
        if found:
            return [self.column_at("ocsf", path) for path in sorted(found)]
        near = get_close_matches(name, self.names(), n=3, cutoff=0.6)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise QueryError(f"unknown field {name!r}{hint} (fields of the source: native.{name})", at)

    def names(self, lanes: Collection[str] | None = None) -> list[str]:
        """Every name a query may use, aliases first; of seen ones those of ``lanes`` (None: all)."""
        seen = [
            f"{NATIVE}{dotted}" if space == "native" else dotted
            for (space, dotted), held in self._lanes.items()
            if lanes is None or not held.isdisjoint(lanes)
        ]
        return [*hot_column_by_name(), *ENVELOPE, *sorted(seen)]

    def column_at(self, space: str, path: tuple[str, ...]) -> Column:
        """The place of a path within ``ocsf`` or ``native``; an engine may keep them elsewhere."""
        return _column_at(space, path)

    def whole_native(self) -> Column:
        """The native fields of a record as JSON text: each is put together, which is dear."""
        text = exp.cast(
            exp.Anonymous(this="to_json", expressions=[exp.column("native", quoted=True)]),
            "VARCHAR",
        )
        return Column(without_escapes(text), Kind.PROSE)

    def within_text(self, text: Column, keys: list[str]) -> Column:
        """The value at ``keys`` of JSON text, as text."""
        return _within_text(text, keys)

    def text_columns(self) -> list[Column]:
        """What bare words look through: textual hot columns, the raw record, remainders."""
        hot = [exp.column(column.name, quoted=True) for column in HOT_COLUMNS if column.is_text]
        raw = exp.cast(exp.column("raw", quoted=True), "VARCHAR")
        rest = [
            self.column_at("native", path).value for path in self._remainders if path[:-1] == ()
        ]
        return [Column(value, Kind.PROSE) for value in [*hot, raw, *rest]]

    def _native(self, dotted: str) -> list[Column]:
        found = self._paths.get(("native", dotted)) or self._native_by_folded.get(dotted.lower())
        if not found:  # never seen: as one key, and as a path
            found = {(dotted,), tuple(dotted.split("."))}
        columns = [self.column_at("native", path) for path in sorted(found)]
        return columns + [
            self.within_text(self.column_at("native", path), keys)
            for path in self._remainders
            for keys in _keys_beside(path, dotted)
        ]

    @cached_property
    def _remainders(self) -> list[tuple[str, ...]]:
        """Where names beyond the limit are kept: of records, and of objects not in lists."""
        return sorted(
            path
            for (space, _), paths in self._paths.items()
            if space == "native"
            for path in paths
            if path[-1] == REMAINDER and ANY_MEMBER not in path
        )

    @cached_property
    def _native_by_folded(self) -> dict[str, set[tuple[str, ...]]]:
        folded: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        for (space, dotted), paths in self._paths.items():
            if space == "native":
                folded[dotted.lower()] |= paths
        return folded

    @cached_property
    def _by_column_name(self) -> dict[str, HotColumn]:
        return {column.name: column for column in HOT_COLUMNS}


def _keys_beside(remainder: tuple[str, ...], dotted: str) -> list[list[str]]:
    """How ``dotted`` may be written in the JSON of this remainder: as one key, and as a path."""
    level = "".join(f"{key}." for key in remainder[:-1])
    if not dotted.startswith(level):
        return []
    name = dotted.removeprefix(level)
    return [[name], name.split(".")] if "." in name else [[name]]


def _within_text(text: Column, keys: list[str]) -> Column:
    """The value at ``keys`` of JSON text, as text (RFC 6901 pointer)."""
    pointer = "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
    found = exp.Anonymous(
        this="json_extract_string", expressions=[text.value, exp.Literal.string(pointer)]
    )
    return Column(found, Kind.ANY)


def _column_at(space: str, path: tuple[str, ...]) -> Column:
    value: exp.Expr = exp.column(space, quoted=True)
    in_list = False
    for key in path:
        if key == ANY_MEMBER:
            members = each(value, _as_list) if in_list else _as_list(value)
            value = exp.Anonymous(this="flatten", expressions=[members]) if in_list else members
            in_list = True
        else:
            extract = partial(_extract, key=key)
            value = each(value, extract) if in_list else extract(value)
    if in_list:
        return Column(each(value, _as_text), Kind.ANY, is_list=True)
    return Column(_as_text(value), Kind.ANY)


def each(members: exp.Expr, change: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """The list of what ``change`` makes of every member."""
    change_one = exp.Lambda(
        this=change(exp.to_identifier(_MEMBER)), expressions=[exp.to_identifier(_MEMBER)]
    )
    return exp.Anonymous(this="list_transform", expressions=[members, change_one])


def without_escapes(json: exp.Expr) -> exp.Expr:
    """JSON text with backslashes and quotes in values as people write them."""
    for escaped, plain in (("\\\\", "\\"), ('\\"', '"')):
        parts = [json, exp.Literal.string(escaped), exp.Literal.string(plain)]
        json = exp.Anonymous(this="replace", expressions=parts)
    return json


def _extract(value: exp.Expr, key: str) -> exp.Expr:
    return exp.Anonymous(this="variant_extract", expressions=[value, exp.Literal.string(key)])


def _as_list(value: exp.Expr) -> exp.Expr:
    return exp.TryCast(this=value, to=exp.DataType.build("VARIANT[]", dialect="duckdb"))


def _as_text(value: exp.Expr) -> exp.Expr:
    return exp.cast(value, "VARCHAR")
