"""Tells each record's shape: by its names first, then by a few remembered values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.model.field_path import values_at
from tocsin.normalize.mapping import Condition, Recognize

_REMEMBERED = 65_536
Record = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Test:
    """One condition: the paths its field may be under, and what is asked of it."""

    paths: tuple[str, ...]
    condition: Condition
    accepted: frozenset[str] = frozenset()

    @property
    def roots(self) -> frozenset[str]:
        """Top-level names under which the field can be at all."""
        dotted = [path for path in self.paths if "." in path]
        cuts = {path[:at] for path in dotted for at, c in enumerate(path) if c == "."}
        return frozenset(self.paths) | cuts

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
) -> Claim:
    """Compile the conditions of one shape."""
    fixed = [test for group in required for test in _tests(group, alias)]
    ways = [(*fixed, *_tests(group, alias)) for group in any_of] or [tuple(fixed)]
    return Claim(shape, tuple(ways))


def _tests(group: Recognize, alias: Mapping[str, Sequence[str]]) -> list[Test]:
    return [
        Test(
            tuple(dict.fromkeys((name, *alias.get(name, ())))),
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

    readers: tuple[Callable[[Record], object], ...]
    paths: tuple[tuple[str, ...], ...]
    ways: tuple[tuple[int, tuple[Test, ...]], ...]
    decided: dict[tuple[object, ...], "_Candidates"]


_Candidates = tuple[tuple[int, tuple[Test, ...]], ...]
"""Shapes in order with the text tests still to run; none left means claimed."""


class Recognizer:
    """Groups records by shape; the first claim that holds wins."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self._claims = claims
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def group(self, records: Sequence[Record]) -> list[tuple[int | None, list[int]]]:
        """Rows by shape number, in first-seen order; None for what no shape claims."""
        pending: dict[_Candidates, list[int]] = {}
        for row, record in enumerate(records):
            names = tuple(record)
            plan = self._plans.get(names)
            if plan is None:
                plan = self._plan(names)
            key = tuple([reader(record) for reader in plan.readers])
            try:
                candidates = plan.decided.get(key)
            except TypeError:  # a list or object where a plain value is asked for
                key = tuple([_plain(value) for value in key])
                candidates = plan.decided.get(key)
            if candidates is None:
                candidates = self._decide(plan, key)
            pending.setdefault(candidates, []).append(row)
        grouped: dict[int | None, list[int]] = {}
        for candidates, rows in pending.items():
            for shape, claimed in _settle(candidates, rows, records):
                grouped.setdefault(shape, []).extend(claimed)
        return [(shape, sorted(rows)) for shape, rows in grouped.items()]

    def _plan(self, names: tuple[str, ...]) -> _Plan:
        if len(self._plans) >= _REMEMBERED:
            self._plans.clear()
        here = frozenset(names)
        ways = [
            (claim.shape, way)
            for claim in self._claims
            for way in claim.ways
            if all(test.can_hold_when_absent or here & test.roots for test in way)
        ]
        asked: dict[tuple[str, ...], None] = {}
        for _, way in ways:
            for test in way:
                if not _told_by_names(test):
                    asked.setdefault(test.paths)
        readers = tuple(_reader(paths, here) for paths in asked)
        plan = _Plan(readers, tuple(asked), tuple(ways), {})
        self._plans[names] = plan
        return plan

    def _decide(self, plan: _Plan, key: tuple[object, ...]) -> _Candidates:
        if len(plan.decided) >= _REMEMBERED:
            plan.decided.clear()
        texts = {
            paths: None if value is None else _lowered(value)
            for paths, value in zip(plan.paths, key, strict=True)
        }
        left: list[tuple[int, tuple[Test, ...]]] = []
        for shape, way in plan.ways:
            if all(test.paths not in texts or test.holds(texts[test.paths]) for test in way):
                open_tests = tuple(test for test in way if test.condition.matches is not None)
                left.append((shape, open_tests))
                if not open_tests:
                    break
        plan.decided[key] = tuple(left)
        return plan.decided[key]


def _told_by_names(test: Test) -> bool:
    """True when the record's names alone settle it, or nothing but a text test can."""
    wanted = test.condition
    if wanted.is_in is not None or wanted.prefix is not None or wanted.present is False:
        return False
    plain_name = len(test.paths) == 1 and "." not in test.paths[0]
    return wanted.matches is not None or plain_name


def _reader(paths: tuple[str, ...], here: frozenset[str]) -> Callable[[Record], object]:
    """Reads the first path that has a value; cheap when it is a plain top-level name."""
    if paths[0] in here and (len(paths) == 1 or not _anywhere(paths[1:], here)):
        name = paths[0]
        return lambda record: record.get(name)
    usable = [path for path in paths if path in here or path.partition(".")[0] in here]
    if len(usable) == 1 and usable[0] in here:
        name = usable[0]
        return lambda record: record.get(name)
    return lambda record: _first_value(record, usable)


def _anywhere(paths: Sequence[str], here: frozenset[str]) -> bool:
    return any(path in here or path.partition(".")[0] in here for path in paths)


def _first_value(record: Record, paths: Sequence[str]) -> object:
    for path in paths:
        values = values_at(record, path)
        if values:
            value = values[0]
            if value is not None:
                return _plain(value)
    return None


def _plain(value: Any) -> object:
    """A value that can be remembered; an object counts as present only."""
    return "{}" if isinstance(value, dict | list) else value


def _settle(
    candidates: _Candidates, rows: list[int], records: Sequence[Record]
) -> list[tuple[int | None, list[int]]]:
    """Runs the text tests that are left, one column at a time."""
    settled: list[tuple[int | None, list[int]]] = []
    for shape, tests in candidates:
        if not rows:
            break
        if not tests:
            settled.append((shape, rows))
            return settled
        mask = np.ones(len(rows), bool)
        for test in tests:
            texts = pa.array([_text_of(records[row], test.paths) for row in rows], pa.string())
            hit = pc.match_substring_regex(texts, test.condition.matches)
            mask &= pc.fill_null(hit, False).to_numpy(zero_copy_only=False)
        claimed = [row for row, hit in zip(rows, mask, strict=True) if hit]
        if claimed:
            settled.append((shape, claimed))
            rows = [row for row, hit in zip(rows, mask, strict=True) if not hit]
    if rows:
        settled.append((None, rows))
    return settled


def _text_of(record: Record, paths: Sequence[str]) -> str | None:
    value = record.get(paths[0]) if len(paths) == 1 else _first_value(record, paths)
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return None if value is None else _lowered(value)
