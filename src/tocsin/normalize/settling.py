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
_SET_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Shapes in order with the text tests still to run; none left means claimed."""

    shapes: tuple[tuple[int, tuple[TextTest, ...]], ...]


def settle(
    candidates: Candidates,
    rows: Sequence[int],
    texts_of: Callable[[Sequence[int], Sequence[str]], pa.Array],
) -> list[tuple[int | None, list[int]]]:
    """The rows of each shape, those of none last; the first shape whose tests hold wins."""
    asked = _asked(candidates)
    masks: dict[TextTest, np.ndarray] = {}
    for paths, expressions in asked.items():
        found = _searched(texts_of(rows, paths), expressions)
        masks |= {(paths, expression): mask for expression, mask in found.items()}
    left = np.ones(len(rows), np.bool_)
    numbers = np.asarray(rows, np.int64)
    settled: list[tuple[int | None, list[int]]] = []
    for shape, tests in candidates.shapes:
        claimed = left.copy()
        for test in tests:
            claimed &= masks[test]
        if claimed.any():
            settled.append((shape, numbers[claimed].tolist()))
            left &= ~claimed
            if not left.any():
                return settled
    if left.any():
        settled.append((None, numbers[left].tolist()))
    return settled


def _asked(candidates: Candidates) -> dict[tuple[str, ...], list[str]]:
    asked: dict[tuple[str, ...], dict[str, None]] = {}
    for _, tests in candidates.shapes:
        for paths, expression in tests:
            asked.setdefault(paths, {})[expression] = None
    return {paths: list(expressions) for paths, expressions in asked.items()}


def _searched(texts: pa.Array, expressions: list[str]) -> dict[str, np.ndarray]:
    """For each expression in which texts it is found; never in one that is null."""
    if len(expressions) < _WORTH_A_SET:
        return {
            expression: pc.fill_null(pc.match_substring_regex(texts, expression), False).to_numpy(
                zero_copy_only=False
            )
            for expression in expressions
        }
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


@lru_cache(maxsize=256)
def _set_of(expressions: tuple[str, ...]) -> re2.Set:
    options = re2.Options()
    options.max_mem = _SET_BYTES
    together = re2.Set.SearchSet(options)
    for expression in expressions:
        together.Add(expression)
    together.Compile()
    return together
