"""Tells each record's shape: by its names first, then by a few remembered values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.model.field_path import roots_of, values_at
from tocsin.model.shaped_records import CellKind
from tocsin.normalize.cells import Cells, Numbers
from tocsin.normalize.mapping import Condition, Recognize
from tocsin.normalize.settling import Candidates, TextTest, settle
from tocsin.normalize.shaped_rows import CellRows, Rows, values_of

_REMEMBERED = 8_192
_THERE = "{}"
"""What counts as present only."""
Record = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Test:
    """One condition: the paths its field may be under, and what is asked of it."""

    paths: tuple[str, ...]
    condition: Condition
    accepted: frozenset[str] = frozenset()
    roots: frozenset[str] = field(init=False, compare=False)
    """Top-level names under which the field can be at all."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "roots", frozenset().union(*map(roots_of, self.paths)))

    @property
    def can_hold_when_absent(self) -> bool:
        return self.condition.present is False

    def holds(self, text: str | None) -> bool:
        """Whether ``text`` (lower case, None when absent) meets all but ``matches``."""
        wanted = self.condition
        if text is None:
            return self.can_hold_when_absent
        if wanted.present is False:
            return False
        if wanted.is_in is not None and text not in self.accepted:
            return False
        if wanted.prefix is not None:
            return text.startswith(tuple(prefix.lower() for prefix in wanted.prefix))
        return True


@dataclass(frozen=True, slots=True)
class Claim:
    """What makes a record one of shape number ``shape``: any of ``ways``, each all its tests."""

    shape: int
    ways: tuple[tuple[Test, ...], ...]


def claim_of(
    shape: int,
    required: Sequence[Recognize],
    any_of: Sequence[Recognize],
    alias: Mapping[str, Sequence[str]],
    lift: Sequence[str],
) -> Claim:
    """Compile the conditions of one shape."""
    fixed = [test for group in required for test in _tests(group, alias, lift)]
    ways = [(*fixed, *_tests(group, alias, lift)) for group in any_of] or [tuple(fixed)]
    return Claim(shape, tuple(ways))


def _tests(group: Recognize, alias: Mapping[str, Sequence[str]], lift: Sequence[str]) -> list[Test]:
    return [
        Test(
            (name, *alias.get(name, ()), *(f"{prefix}.{name}" for prefix in lift)),
            condition,
            frozenset(_lowered(value) for value in condition.is_in or ()),
        )
        for name, condition in group.items()
    ]


def _lowered(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).lower()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is left to ask of records that have the same names."""

    read: Callable[[Record], object]
    paths: tuple[tuple[str, ...], ...]
    ways: tuple[tuple[int, tuple[Test, ...]], ...]
    decided: dict[object, Candidates]


Split = list[tuple[int | None, Numbers]]
Coded = dict[int, tuple[npt.NDArray[np.int32], list[Any]]]
"""By slot: for each record the index of its value, and the values."""


class Recognizer:
    """Groups records by shape; the first claim that holds wins."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self._claims = claims
        self._plans: dict[tuple[str, ...], _Plan] = {}
        self._plans_in_any_order: dict[frozenset[str], _Plan] = {}
        self._alike: dict[tuple[tuple[int, tuple[TextTest, ...]], ...], Candidates] = {}

    def group(self, records: Sequence[Record]) -> list[tuple[int | None, list[int]]]:
        """Rows by shape number, in first-seen order; None for what no shape claims."""
        pending: dict[Candidates, list[int]] = {}
        plans = self._plans
        for row, record in enumerate(records):
            names = tuple(record)
            plan = plans.get(names) or self._plan(names)
            key = plan.read(record)
            try:
                candidates = plan.decided.get(key)
            except TypeError:  # a list or object where a plain value is asked for
                key = _plain_key(key)
                candidates = plan.decided.get(key)
            if candidates is None:
                candidates = self._decide(plan, key)
            rows = pending.get(candidates)
            if rows is None:
                pending[candidates] = [row]
            else:
                rows.append(row)
        grouped: dict[int | None, list[int]] = {}
        for candidates, rows in pending.items():
            for shape, claimed in settle(candidates, rows, partial(_texts, records)):
                grouped.setdefault(shape, []).extend(claimed)
        return [(shape, sorted(rows)) for shape, rows in grouped.items()]

    def split(self, cells: Cells, groups: Sequence[Rows]) -> list[Split]:
        """The same for groups of records of one template each: places among them by shape.

        One decision for each combination of values that is asked for.
        """
        asked = [self._asked(rows) for rows in groups]
        coded = _coded(cells, groups, [leaves for _, leaves in asked])
        return [
            self._split(cells, rows, plan, leaves, known)
            for rows, (plan, leaves), known in zip(groups, asked, coded, strict=True)
        ]

    def _asked(self, rows: Rows) -> tuple[_Plan, tuple[object, ...]]:
        """The plan for these records, and the slots (or what else there is) it asks for."""
        record = rows.template.record
        names = tuple(record)
        plan = self._plans.get(names) or self._plan(names)
        return plan, _as_tuple(plan.paths, _plain_key(plan.read(record)))

    def _split(
        self, cells: Cells, rows: Rows, plan: _Plan, leaves: tuple[object, ...], known: Coded
    ) -> Split:
        count = len(rows.rows)
        if any(isinstance(leaf, int) and leaf not in known for leaf in leaves):
            found = self.group([dict(one) for one in values_of(cells, rows.template.record, rows)])
            return [(shape, np.array(places, np.int64)) for shape, places in found]
        combined, combinations = _combinations(known, leaves, count)
        choices: dict[Candidates, int] = {}
        chosen = np.empty(len(combinations), np.int64)
        for number, values in enumerate(combinations):
            key = values if len(values) > 1 else values[0] if values else ()
            candidates = plan.decided.get(key) or self._decide(plan, key)
            chosen[number] = choices.setdefault(candidates, len(choices))
        choice = chosen.take(combined)
        split: dict[int | None, list[Numbers]] = {}
        for candidates, number in choices.items():
            places = np.flatnonzero(choice == number) if len(choices) > 1 else np.arange(count)
            read = partial(_cell_texts, cells, rows)
            for shape, claimed in settle(candidates, places.tolist(), read):
                split.setdefault(shape, []).append(np.array(claimed, np.int64))
        return [(shape, np.sort(np.concatenate(found))) for shape, found in split.items()]

    def _plan(self, names: tuple[str, ...]) -> _Plan:
        """The plan for records with these names; some senders shuffle them in every record."""
        here = frozenset(names)
        plan = self._plans_in_any_order.get(here)
        if plan is None:
            if len(self._plans_in_any_order) >= _REMEMBERED:
                self._plans_in_any_order.clear()
            plan = self._plans_in_any_order[here] = self._new_plan(here)
        if len(self._plans) >= _REMEMBERED:
            self._plans.clear()
        self._plans[names] = plan
        return plan

    def _new_plan(self, here: frozenset[str]) -> _Plan:
        ways = [
            (claim.shape, way)
            for claim in self._claims
            for way in claim.ways
            if all(test.can_hold_when_absent or not here.isdisjoint(test.roots) for test in way)
        ]
        asked: dict[tuple[str, ...], bool] = {}
        for _, way in ways:
            for test in way:
                if not _told_by_names(test):
                    by_value = asked.get(test.paths, False) or _is_by_value(test)
                    asked[test.paths] = by_value
        return _Plan(_reader(asked, here), tuple(asked), tuple(ways), {})

    def _decide(self, plan: _Plan, key: object) -> Candidates:
        if len(plan.decided) >= _REMEMBERED:
            plan.decided.clear()
        if len(self._alike) >= _REMEMBERED:
            self._alike.clear()
        texts = {
            paths: None if value is None else _lowered(value)
            for paths, value in zip(plan.paths, _as_tuple(plan.paths, key), strict=True)
        }
        left: list[tuple[int, tuple[TextTest, ...]]] = []
        for shape, way in plan.ways:
            if all(test.paths not in texts or test.holds(texts[test.paths]) for test in way):
                open_tests = tuple(
                    (test.paths, test.condition.matches)
                    for test in way
                    if test.condition.matches is not None
                )
                left.append((shape, open_tests))
                if not open_tests:
                    break
        alike = self._alike.setdefault(tuple(left), Candidates(tuple(left)))
        plan.decided[key] = alike
        return alike


def _told_by_names(test: Test) -> bool:
    """True when the record's names alone settle it, or nothing but a text test can."""
    wanted = test.condition
    if wanted.is_in is not None or wanted.prefix is not None or wanted.present is False:
        return False
    plain_name = len(test.paths) == 1 and "." not in test.paths[0]
    return wanted.matches is not None or plain_name


def _is_by_value(test: Test) -> bool:
    """False where it only matters whether there is a value; some differ in every record."""
    return test.condition.is_in is not None or test.condition.prefix is not None


def _reader(
    asked: Mapping[tuple[str, ...], bool], here: frozenset[str]
) -> Callable[[Record], object]:
    """Reads the asked fields at once: one plain value, or a tuple of them.

    A field under several paths is the first that has a value; ``asked`` says whose matters.
    """
    usable = [
        [path for path in paths if path in here or path.partition(".")[0] in here]
        for paths in asked
    ]
    names = [paths[0] for paths in usable if len(paths) == 1 and paths[0] in here]
    if names and len(names) == len(asked) and all(asked.values()):
        return itemgetter(*names)
    wanted = list(zip(usable, asked.values(), strict=True))
    return lambda record: tuple(
        [
            _first_value(record, paths) if by_value else _presence(record, paths)
            for paths, by_value in wanted
        ]
    )


def _as_tuple(asked: Sequence[tuple[str, ...]], key: object) -> tuple[object, ...]:
    if isinstance(key, tuple):
        return key
    return (key,) if len(asked) == 1 else ()


def _plain_key(key: object) -> object:
    return tuple([_plain(value) for value in key]) if isinstance(key, tuple) else _plain(key)


def _first_value(record: Record, paths: Sequence[str]) -> object:
    for path in paths:
        if path in record:
            value = record[path]
            if value is not None and not isinstance(value, list):
                return _plain(value)
        values = values_at(record, path)
        if values:
            value = values[0]
            if value is not None:
                return _plain(value)
    return None


def _presence(record: Record, paths: Sequence[str]) -> object:
    return None if _first_value(record, paths) is None else _THERE


def _plain(value: Any) -> object:
    """A value that can be remembered: of a list the first; an object counts as present only."""
    if isinstance(value, list):
        value = value[0] if value else None
    return _THERE if isinstance(value, dict | list) else value


def _coded(
    cells: Cells, groups: Sequence[Rows], leaves: Sequence[tuple[object, ...]]
) -> list[Coded]:
    """For each group and slot that is asked for the values, coded; lists are left out."""
    coded: list[Coded] = [{} for _ in groups]
    asked: dict[bool, list[tuple[int, int, Numbers]]] = {True: [], False: []}
    for number, (rows, wanted) in enumerate(zip(groups, leaves, strict=True)):
        for slot in {leaf for leaf in wanted if isinstance(leaf, int)}:
            if rows.template.kinds[slot - 1] is CellKind.JSON:
                continue
            if isinstance(rows, CellRows):
                kind, places = rows.cells(slot)
                asked[kind is CellKind.TEXT].append((number, slot, places))
            else:
                coded[number][slot] = rows.coded(cells, slot)
    for is_text, same in asked.items():
        if not same:
            continue
        kind = CellKind.TEXT if is_text else CellKind.NUMBER
        codes, distinct = cells.coded(kind, np.concatenate([places for _, _, places in same]))
        start = 0
        for number, slot, places in same:
            coded[number][slot] = (codes[start : start + len(places)], distinct)
            start += len(places)
    return coded


def _combinations(
    known: Coded, leaves: Sequence[object], count: int
) -> tuple[Numbers, list[tuple[object, ...]]]:
    """For each record the number of its combination of values, and the combinations."""
    combined = np.zeros(count, np.int64)
    combinations: list[tuple[object, ...]] = [()]
    for leaf in leaves:
        if not isinstance(leaf, int):
            combinations = [(*values, leaf) for values in combinations]
            continue
        codes, distinct = known[leaf]
        first = codes[0]
        if (codes == first).all():
            combinations = [(*values, distinct[first]) for values in combinations]
            continue
        both, combined = np.unique(combined * len(distinct) + codes, return_inverse=True)
        combinations = [
            (*combinations[number // len(distinct)], distinct[number % len(distinct)])
            for number in both.tolist()
        ]
    return combined, combinations


def _cell_texts(cells: Cells, rows: Rows, places: list[int], paths: Sequence[str]) -> pa.Array:
    record = rows.template.record
    plain_name = len(paths) == 1 and "." not in paths[0]
    leaf = record.get(paths[0]) if plain_name else _first_value(record, paths)
    chosen = rows.of(np.array(places, np.int64))
    if isinstance(leaf, int):
        match rows.template.kinds[leaf - 1]:
            case CellKind.TEXT:
                return chosen.column(cells, leaf)
            case CellKind.JSON:  # a list: of its members the first, where the path is dotted
                records = [dict(one) for one in values_of(cells, record, chosen)]
                return _texts(records, range(len(records)), paths)
    if isinstance(leaf, str):
        values: Sequence[object] = [leaf] * len(places)
    else:
        values = values_of(cells, leaf, chosen)
    return pa.array([_text(value) for value in values], pa.string())


def _texts(records: Sequence[Record], rows: Sequence[int], paths: Sequence[str]) -> pa.Array:
    if len(paths) == 1 and "." not in paths[0]:
        values = [records[row].get(paths[0]) for row in rows]
    else:
        values = [_first_value(records[row], paths) for row in rows]
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        return pa.array([_text(value) for value in values], pa.string())


def _text(value: object) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else _lowered(value)
    return text.encode("utf-8", "backslashreplace").decode()
