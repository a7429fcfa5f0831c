"""Settles which shape's text tests hold: all expressions over a field in one pass of each text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import re2

TextTest = tuple[tuple[str, ...], str]
"""The paths a field may be under, and the RE2 that is searched for in its text."""

_WORTH_A_SET = 3
_MANY, _SAMPLED = 4_000, 64
"""Of so many rows about so many say which shapes to expect."""
_SET_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Shapes in order with the text tests still to run; none left means claimed."""

    shapes: tuple[tuple[int, tuple[TextTest, ...]], ...]


Reader = Callable[[Sequence[int], Sequence[str]], pa.Array]
"""Gives the texts that some rows have under some paths."""
Masks = dict[TextTest, np.ndarray]


def settle(
    candidates: Candidates, rows: Sequence[int], texts_of: Reader
) -> list[tuple[int | None, list[int]]]:
    """The rows of each shape, those of none last; the first shape whose tests hold wins.

    Of many rows a sample says which shapes to expect. Rows in whose texts nothing is found but
    what these ask for need no look at each expression.
    """
    if len(rows) < _MANY:
        return _settled(candidates, rows, texts_of)
    sample = rows[:: len(rows) // _SAMPLED]
    likely = [shape for shape, _ in _settled(candidates, sample, texts_of)]
    settled, left = _settled_by(likely, candidates, rows, texts_of)
    if not left:
        return settled
    found = dict(settled)
    for shape, claimed in _settled(candidates, left, texts_of):
        found[shape] = sorted([*found.get(shape, []), *claimed])
    nothing = found.pop(None, None)
    return [*found.items(), *([(None, nothing)] if nothing else [])]


def _settled_by(
    likely: Sequence[int | None], candidates: Candidates, rows: Sequence[int], texts_of: Reader
) -> tuple[list[tuple[int | None, list[int]]], list[int]]:
    """The rows of the likely shapes as far as that is clear, and the others."""
    wanted = [tests for shape, tests in candidates.shapes if shape in likely]
    known = {test for tests in wanted for test in tests}
    before = candidates.shapes
    while None not in likely and before[-1][0] not in likely:
        before = before[:-1]
    others: dict[tuple[str, ...], dict[str, None]] = {}
    for _, tests in before:
        if known.issuperset(tests):
            continue
        paths, expression = next(test for test in tests if test not in known)
        others.setdefault(paths, {})[expression] = None
    clear = np.ones(len(rows), np.bool_)
    masks: Masks = {}
    asked = _asked(Candidates(tuple((0, tests) for tests in wanted)))
    for paths in {**asked, **others}:
        texts = texts_of(rows, paths)
        for expression in asked.get(paths, []):
            masks[paths, expression] = _found_in(texts, expression)
        if paths in others:
            clear &= ~_found_in(texts, "|".join(f"(?:{one})" for one in others[paths]))
    sound = tuple((shape, tests) for shape, tests in before if known.issuperset(tests))
    numbers = np.asarray(rows, np.int64)
    settled, left = _claimed(Candidates(sound), numbers, masks, clear)
    if None not in likely:
        return settled, numbers[left | ~clear].tolist()
    if left.any():
        settled.append((None, numbers[left].tolist()))
    return settled, numbers[~clear].tolist()


def _settled(
    candidates: Candidates, rows: Sequence[int], texts_of: Reader
) -> list[tuple[int | None, list[int]]]:
    masks: Masks = {}
    for paths, expressions in _asked(candidates).items():
        found = _searched(texts_of(rows, paths), expressions)
        masks |= {(paths, expression): mask for expression, mask in found.items()}
    numbers = np.asarray(rows, np.int64)
    settled, left = _claimed(candidates, numbers, masks, np.ones(len(rows), np.bool_))
    if left.any():
        settled.append((None, numbers[left].tolist()))
    return settled


def _claimed(
    candidates: Candidates, numbers: np.ndarray, masks: Masks, left: np.ndarray
) -> tuple[list[tuple[int | None, list[int]]], np.ndarray]:
    """Of the rows that are ``left`` those of each shape, and what is left then."""
    settled: list[tuple[int | None, list[int]]] = []
    for shape, tests in candidates.shapes:
        claimed = left.copy()
        for test in tests:
            claimed &= masks[test]
        if claimed.any():
            settled.append((shape, numbers[claimed].tolist()))
            left = left & ~claimed
            if not left.any():
                break
    return settled, left


def _asked(candidates: Candidates) -> dict[tuple[str, ...], list[str]]:
    asked: dict[tuple[str, ...], dict[str, None]] = {}
    for _, tests in candidates.shapes:
        for paths, expression in tests:
            asked.setdefault(paths, {})[expression] = None
    return {paths: list(expressions) for paths, expressions in asked.items()}


def _searched(texts: pa.Array, expressions: list[str]) -> dict[str, np.ndarray]:
    """For each expression in which texts it is found; never in one that is null."""
    if len(expressions) < _WORTH_A_SET:
        return {expression: _found_in(texts, expression) for expression in expressions}
    search = _set_of(tuple(expressions)).Match
    alike: dict[tuple[int, ...], list[int]] = {}
    for row, text in enumerate(texts.cast(pa.binary()).to_pylist()):
        found = None if text is None else search(text)
        if found:
            alike.setdefault(tuple(found), []).append(row)
    hits = np.zeros((len(expressions), len(texts)), np.bool_)
    for numbers, rows in alike.items():
        hits[np.ix_(numbers, rows)] = True
    return dict(zip(expressions, hits, strict=True))


def _found_in(texts: pa.Array, expression: str) -> np.ndarray:
    found = pc.fill_null(pc.match_substring_regex(texts, expression), False)
    return np.asarray(found.to_numpy(zero_copy_only=False))


@lru_cache(maxsize=256)
def _set_of(expressions: tuple[str, ...]) -> re2.Set:
    options = re2.Options()
    options.max_mem = _SET_BYTES
    together = re2.Set.SearchSet(options)
    for expression in expressions:
        together.Add(expression)
    together.Compile()
    return together
