"""Lines of JSON in groups of one shape: the same keys, brackets and kinds of values in order."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tocsin.ingest.columns.decode_layouts import Layout, outline_of, quotes_in, tokens_of
from tocsin.ingest.columns.decode_lines import Numbers, Strings
from tocsin.ingest.columns.decode_templates import (
    Finish,
    Matched,
    Opener,
    Reader,
    Shape,
    Words,
    carried_by,
    template_of,
    words_of,
)
from tocsin.model.shaped_records import CellKind, Template

_MOST_STRINGS = 4_000
# Odd multipliers: what is marked alike is compared byte by byte afterwards.
_PLACES = np.random.Generator(np.random.PCG64(7)).integers(1, 2**63, _MOST_STRINGS, np.int64) | 1
_COLON = ord(":")
_REMEMBERED = 8_192
_MOST_ALIKE = 16
"""Shapes that are marked alike are tried one by one; of so many no further one is made."""
_MOST_FAILURES = 3
Mark = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Lines of one template: their numbers among ``Strings.lines``, ascending.

    ``begins`` and ``ends`` have a row for each scalar and a column for each line.
    """

    template: Template
    kinds: tuple[CellKind, ...]
    lines: Numbers
    begins: Numbers
    ends: Numbers

    def without(self, lines: Numbers) -> "Group":
        """The group less the given lines."""
        left = np.flatnonzero(~np.isin(self.lines, lines))
        return Group(
            self.template,
            self.kinds,
            self.lines[left],
            self.begins.take(left, axis=1),
            self.ends.take(left, axis=1),
        )


class Templates:
    """Templates by shape, made when a shape is seen for the first time and then remembered.

    ``read`` is the reader of single lines; ``finish`` is what it does to an object after parsing
    it, and ``opener`` where that is to read a text in it as a line.
    """

    def __init__(self, read: Reader, finish: Finish, opener: Opener | None = None) -> None:
        self._read = read
        self._finish = finish
        self.opener = opener
        self._known: dict[Mark, list[tuple[Shape, Template | None]]] = {}
        self._layouts: dict[bytes, Layout | None] = {}

    def groups(self, strings: Strings, fewest: int) -> Iterator[Group]:
        """The lines of each shape; lines that are in no group must be read one by one.

        Where a shape has fewer than ``fewest`` lines on average, senders shuffle their keys, say,
        and no template is made for less.
        """
        words = words_of(strings.data)
        alike = list(_alike(strings))
        fewest = fewest if len(alike) * fewest > len(strings.lines) else 1
        for mark, lines, places in alike:
            yield from self._of_mark(strings, words, mark, lines, places, fewest)

    def _of_mark(
        self,
        strings: Strings,
        words: Words,
        mark: Mark,
        lines: Numbers,
        places: Numbers,
        fewest: int,
    ) -> Iterator[Group]:
        known = self._known.get(mark, [])
        failures = tried = 0
        while len(lines) >= fewest and len(lines):
            if tried == len(known):
                if failures == _MOST_FAILURES or tried == _MOST_ALIKE:
                    return
                made = self._made(strings, places)
                if made is None:
                    failures += 1
                    lines, places = lines[1:], places[:, 1:]
                    continue
                known = self._remember(mark, made)
                tried = known.index(made)
            shape, template = known[tried]
            tried += 1
            found = shape.match(places, strings.buffer, words)
            if template is not None and found.is_like.any():
                yield _group(shape, template, lines, found)
            if found.is_like.all():
                return
            if found.is_like.any():
                left = ~found.is_like
                lines, places = lines[left], places[:, left]

    def _made(self, strings: Strings, places: Numbers) -> tuple[Shape, Template | None] | None:
        """The shape of the first of some lines; None when it is none."""
        start, *quotes, end = places[:, 0].tolist()
        return self._shape_of(strings.data[start:end], [quote - start for quote in quotes])

    def _shape_of(self, line: bytes, quotes: list[int]) -> tuple[Shape, Template | None] | None:
        try:
            shape = Shape(line, quotes)
        except (ValueError, RecursionError):
            return None
        template = template_of(line, shape, self._read, self._finish)
        if template is None and self.opener is not None:
            template = carried_by(shape, line, self.opener)
        return shape, template

    def layout_of(self, line: bytes) -> Layout | None:
        """The layout of lines like this one; None where there is none.

        Lines that are alike but for their values may still be of another shape.
        """
        outline = outline_of(line)
        if outline not in self._layouts:
            if len(self._layouts) >= _REMEMBERED:
                self._layouts.clear()
            self._layouts[outline] = self._new_layout(line)
        return self._layouts[outline]

    def _new_layout(self, line: bytes) -> Layout | None:
        quotes = quotes_in(line)
        try:
            tokens = tokens_of(line, quotes)
        except ValueError:
            return None
        made = self._shape_of(line, quotes)
        return None if made is None or made[1] is None else Layout(tokens, made[1])

    def _remember(
        self, mark: Mark, made: tuple[Shape, Template | None]
    ) -> list[tuple[Shape, Template | None]]:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        known = self._known.setdefault(mark, [])
        known.append(made)
        return known


def _group(shape: Shape, template: Template, lines: Numbers, found: Matched) -> Group:
    kinds = tuple(shape.scalar_kinds)
    if found.is_like.all():
        return Group(template, kinds, lines, found.begins, found.ends)
    at = np.flatnonzero(found.is_like)
    return Group(
        template, kinds, lines[at], found.begins.take(at, axis=1), found.ends.take(at, axis=1)
    )


def _alike(strings: Strings) -> Iterator[tuple[Mark, Numbers, Numbers]]:
    """Lines that may be of one shape, and their places: start, quotes, end.

    They have as many strings, the same ones of them are keys, and of the same lengths.
    """
    order = np.argsort(strings.counts, kind="stable")
    counts = strings.counts[order]
    for same in np.split(order, np.flatnonzero(np.diff(counts)) + 1):
        if not len(same) or (count := int(strings.counts[same[0]])) > _MOST_STRINGS:
            continue
        places = _places(strings, same, count)
        marks = _marks(strings, places, count)
        if (marks == marks[0]).all():
            yield (count, int(marks[0])), same, places
            continue
        within = np.argsort(marks, kind="stable")
        cuts = np.flatnonzero(np.diff(marks[within])) + 1
        for chosen in np.split(within, cuts):
            yield (count, int(marks[chosen[0]])), same[chosen], places.take(chosen, axis=1)


def _places(strings: Strings, lines: Numbers, count: int) -> Numbers:
    first = strings.firsts[lines] * 2
    quotes = 2 * count
    places = np.empty((quotes + 2, len(lines)), np.int64)
    numbers = strings.lines[lines]
    places[0] = strings.starts[numbers]
    places[-1] = strings.ends[numbers]
    if first[-1] - first[0] == (len(lines) - 1) * quotes:  # one after the other
        places[1:-1] = strings.quotes[first[0] : first[-1] + quotes].reshape(-1, quotes).T
    else:
        places[1:-1] = strings.quotes.take(first + np.arange(quotes)[:, None])
    return places


def _marks(strings: Strings, places: Numbers, count: int) -> npt.NDArray[np.int64]:
    opens, closes = places[1:-1:2], places[2:-1:2]
    sizes = closes - opens
    sizes *= strings.buffer.take(closes + 1) == _COLON
    sizes *= _PLACES[:count, None]
    marks: npt.NDArray[np.int64] = sizes.sum(axis=0)
    return marks
