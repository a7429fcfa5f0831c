"""Lines of JSON in groups of one shape: the same keys, brackets and kinds of values in order."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tocsin.ingest.decode_gaps import Gaps, Words, find_gaps, low_bytes, words_of
from tocsin.ingest.decode_lines import Flags, Numbers, Strings, find_strings

# Odd multipliers that spread what they are given; shapes are compared byte by byte afterwards.
_DRAW = np.random.Generator(np.random.PCG64(7))
_PLACES = _DRAW.integers(1, 2**63, 4096, np.uint64) | np.uint64(1)
_A, _B, _C, _D = (np.uint64(value) for value in _DRAW.integers(1, 2**63, 4, np.uint64) | 1)
_HALF = np.uint64(31)
_MOST_STRINGS = 4_000


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """All lines of a payload that may be JSON objects, as numbers that can be compared.

    Line ``i`` has the strings ``strings.firsts[i]`` and on, the keys ``first_keys[i]`` and on, the
    odd gaps ``first_odds[i]`` and on, and the scalars ``first_scalars[i]`` and on; ``scalars`` are
    the numbers of the odd gaps that have one.
    """

    strings: Strings
    gaps: Gaps
    keys: Numbers
    key_sizes: Numbers
    key_heads: Words
    key_tails: Words
    words: Words
    first_keys: Numbers
    key_counts: Numbers
    first_odds: Numbers
    odd_counts: Numbers
    scalars: Numbers
    first_scalars: Numbers
    sound: Flags


def read_lines(payload: bytes) -> Lines:
    """Find strings, keys and gaps of the lines of ``payload``."""
    strings = find_strings(payload)
    words = words_of(strings.data)
    gaps = find_gaps(strings, words)
    keys = np.flatnonzero(gaps.is_key)
    begin, stop = strings.opens.take(keys) + 1, strings.closes.take(keys)
    sizes = stop - begin
    tails = words[np.maximum(stop - 8, 0)]
    tails[sizes <= 8] = 0
    scalars = np.flatnonzero((gaps.kinds > 0) & (gaps.kinds != 3))
    first_keys = np.searchsorted(keys, strings.firsts)
    first_odds = np.searchsorted(gaps.odd, strings.firsts)
    sound = strings.counts <= _MOST_STRINGS
    sound &= strings.opens.take(strings.firsts) == strings.starts[strings.lines] + 1
    if len(gaps.doubtful):
        sound[np.searchsorted(strings.firsts, gaps.doubtful, "right") - 1] = False
    return Lines(
        strings=strings,
        gaps=gaps,
        keys=keys,
        key_sizes=sizes,
        key_heads=low_bytes(words[begin], np.minimum(sizes, 8)),
        key_tails=tails,
        words=words,
        first_keys=first_keys,
        key_counts=np.diff(first_keys, append=len(keys)),
        first_odds=first_odds,
        odd_counts=np.diff(first_odds, append=len(gaps.odd)),
        scalars=scalars,
        first_scalars=np.searchsorted(gaps.odd.take(scalars), strings.firsts),
        sound=sound,
    )


def groups_of(lines: Lines) -> Iterator[Numbers]:
    """Numbers of the lines of each shape, ascending, the sound ones only."""
    rows = np.flatnonzero(lines.sound)
    if not len(rows):
        return
    marks = _marks(lines)[rows]
    order = np.argsort(marks, kind="stable")
    cuts = np.flatnonzero(np.diff(marks[order])) + 1
    for group in np.split(rows[order], cuts):
        yield from _of_one_shape(lines, group)


def _marks(lines: Lines) -> Words:
    """A number for each line that tells shapes apart nearly always."""
    strings, gaps = lines.strings, lines.gaps
    values = gaps.codes.astype(np.uint64) * _A
    names = lines.key_heads * _B
    names ^= names >> _HALF
    names += (lines.key_tails + lines.key_sizes.astype(np.uint64)) * _C
    names ^= names >> _HALF
    values[lines.keys] += names
    edges = gaps.before * _D
    edges ^= edges >> _HALF
    edges += gaps.after * _A
    values[gaps.odd] += edges
    place = np.arange(len(values)) - np.repeat(strings.firsts, strings.counts)
    values *= _PLACES.take(place, mode="wrap")
    values ^= values >> _HALF
    return np.add.reduceat(values, strings.firsts)


def _of_one_shape(lines: Lines, group: Numbers) -> Iterator[Numbers]:
    """``group`` again, less the lines that only seem to be like its first, which come after."""
    while len(group) > 1:
        same = _like_first(lines, group)
        if same.all():
            break
        yield group[same]
        group = group[~same]
    if len(group):
        yield group


def _like_first(lines: Lines, group: Numbers) -> Flags:
    strings, gaps = lines.strings, lines.gaps
    keys, odds = lines.key_counts, lines.odd_counts
    same = np.ones(len(group), np.bool_)
    for counts in (strings.counts, keys, odds):
        of_group = counts[group]
        same &= of_group == of_group[0]
    rows = group[same]
    left = np.ones(len(rows), np.bool_)
    for values, firsts, counts in (
        (gaps.codes, strings.firsts, strings.counts),
        (lines.key_sizes, lines.first_keys, keys),
        (lines.key_heads, lines.first_keys, keys),
        (lines.key_tails, lines.first_keys, keys),
        (gaps.before, lines.first_odds, odds),
        (gaps.after, lines.first_odds, odds),
    ):
        table = values.take(firsts[rows][:, None] + np.arange(counts[rows[0]]))
        left &= (table == table[0]).all(axis=1)
    _compare_long_keys(lines, rows, int(keys[rows[0]]), left)
    same[same] = left
    return same


def _compare_long_keys(lines: Lines, rows: Numbers, count: int, left: Flags) -> None:
    """Heads and tails are compared; here what is between, of keys of more than 16 bytes."""
    first = int(lines.first_keys[rows[0]])
    sizes = lines.key_sizes[first : first + count]
    for at in np.flatnonzero(sizes > 16).tolist():
        begins = lines.strings.opens[lines.keys[lines.first_keys[rows] + at]] + 1
        for step in range(8, int(sizes[at]) - 8, 8):
            words = lines.words[begins + step]
            left &= words == words[0]
