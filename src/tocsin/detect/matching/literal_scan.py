"""Which known literals a field's distinct texts contain: one pass over all of them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detect.matching.batch_text import NUMBER_CHARACTERS
from tocsin.detect.matching.compiled_store import CompiledStore
from tocsin.detect.matching.needle_finder import NeedleFinder
from tocsin.detect.matching.vocabulary import Codes, KnownHits, PassingVocabulary, Vocabulary
from tocsin.detect.rules.matcher import Operator

_LONGEST = 64
"""Longer literals are scanned for by a part: what is found is only a candidate anyway."""
_ANCHORS = {
    Operator.CONTAINS: (False, False),
    Operator.STARTSWITH: (True, False),
    Operator.ENDSWITH: (False, True),
}

Ids = npt.NDArray[np.int64]
_NONE: Ids = np.empty(0, np.int64)


class Literal(NamedTuple):
    """A folded text looked for: anywhere, at the start, at the end, or (EXACT) as the whole."""

    text: str
    operator: Operator


class LiteralScan:
    """Finds which rules' literals occur in texts.

    ``wanted`` maps each literal to the numbers of the rules it is a witness of. Hits are
    candidates: every one may be wrong, none is missing.
    """

    def __init__(
        self, wanted: Mapping[Literal, Sequence[int]], store: CompiledStore | None = None
    ) -> None:
        self.wanted = wanted
        exact = {w.text: rules for w, rules in wanted.items() if w.operator is Operator.EXACT}
        self._exact_texts = pa.array(list(exact), pa.string())
        self._exact_rules = list(exact.values())
        uses: dict[bytes, list[tuple[Literal, Sequence[int]]]] = {}
        for literal, rules in wanted.items():
            if literal.operator is not Operator.EXACT:
                uses.setdefault(_needle(literal), []).append((literal, rules))
        needles = sorted(uses)
        self._uses = [uses[needle] for needle in needles]
        self._targets: dict[int, _Targets] = {}
        self._lengths = np.array([len(needle) for needle in needles] or [0])
        self.may_be_number = any(NUMBER_CHARACTERS.issuperset(needle) for needle in needles)
        self._finder = NeedleFinder(needles, store) if needles else None

    def hits(self, vocabulary: Vocabulary, codes: Codes) -> tuple[Ids, Codes]:
        """Pairs (rule number, code) of the given distinct codes, without repetitions."""
        if isinstance(vocabulary, PassingVocabulary):
            rules, at = self._scan(vocabulary.array(codes, folded=True))
            return rules, codes[at]
        known = vocabulary.known_hits(self)
        if known.scanned < len(vocabulary):
            self._learn(vocabulary, known)
        if not known.rules:
            return _NONE, _NONE
        hit = [code for code in codes.tolist() if code in known.rules]
        if not hit:
            return _NONE, _NONE
        found = [known.rules[code] for code in hit]
        return np.concatenate(found), np.repeat(hit, [len(rules) for rules in found])

    def may_occur_in(self, folded: bytes) -> bool:
        """False when none of the literals is anywhere in the text."""
        if self._exact_rules:
            return True
        return self._finder is not None and self._finder.occurs_in(folded)

    def _learn(self, vocabulary: Vocabulary, known: KnownHits) -> None:
        first = known.scanned
        known.scanned = len(vocabulary)
        rules, at = self._scan(vocabulary.array(np.arange(first, known.scanned), folded=True))
        if not len(rules):
            return
        order = np.argsort(at, kind="stable")
        rules, at = rules[order], at[order]
        distinct, starts = np.unique(at, return_index=True)
        for position, mine in zip(distinct.tolist(), np.split(rules, starts[1:]), strict=True):
            known.rules[first + position] = mine

    def _scan(self, texts: pa.Array) -> tuple[Ids, Ids]:
        """Pairs (rule number, position in ``texts``), without repetitions."""
        found: list[tuple[Ids, Ids]] = []
        if self._exact_rules:
            which = pc.index_in(texts, value_set=self._exact_texts, skip_nulls=True)
            at = np.flatnonzero(which.is_valid().to_numpy(zero_copy_only=False))
            for position, number in zip(at.tolist(), which.drop_null().to_pylist(), strict=True):
                rules = np.array(self._exact_rules[number])
                found.append((rules, np.full(len(rules), position)))
        if self._finder is not None and len(texts):
            found.extend(self._needles_in(self._finder, texts))
        if not found:
            return _NONE, _NONE
        rules = np.concatenate([pair[0] for pair in found])
        at = np.concatenate([pair[1] for pair in found])
        pairs = np.unique(rules * len(texts) + at)
        return pairs // len(texts), pairs % len(texts)

    def _needles_in(self, finder: NeedleFinder, texts: pa.Array) -> list[tuple[Ids, Ids]]:
        if texts.null_count:
            texts = pc.fill_null(texts, "")
        joined, starts = _joined(texts)
        number, end = finder.ends(joined)
        if not len(number):
            return []
        at = np.searchsorted(starts, end - 1, side="right") - 1
        at_start = end - self._lengths[number] == starts[at]
        at_end = end + 1 == starts[at + 1]
        order = np.argsort(number, kind="stable")
        distinct, first = np.unique(number[order], return_index=True)
        found = []
        for one, mine in zip(distinct.tolist(), np.split(order, first[1:]), strict=True):
            found.extend(self._target(one).hits(at[mine], at_start[mine], at_end[mine]))
        return found

    def _target(self, needle: int) -> "_Targets":
        """Made when first found: most never are."""
        target = self._targets.get(needle)
        if target is None:
            target = self._targets[needle] = _Targets(self._uses[needle])
        return target


class _Targets:
    """The rules behind one needle, by where it must stand."""

    def __init__(self, uses: Sequence[tuple[Literal, Sequence[int]]]) -> None:
        by_place: dict[tuple[bool, bool], set[int]] = {}
        for literal, rules in uses:
            by_place.setdefault(_ANCHORS[literal.operator], set()).update(rules)
        self._by_place = [(place, np.array(sorted(ids))) for place, ids in by_place.items()]

    def hits(
        self, at: Ids, at_start: npt.NDArray[np.bool_], at_end: npt.NDArray[np.bool_]
    ) -> list[tuple[Ids, Ids]]:
        found = []
        for (start, end), rules in self._by_place:
            mine = at[at_start] if start else at[at_end] if end else at
            if len(mine):
                found.append((np.repeat(rules, len(mine)), np.tile(mine, len(rules))))
        return found


def is_scannable(literal: Literal) -> bool:
    """False when nothing of the literal can be looked for, so that it is no witness."""
    text = literal.text
    if literal.operator is Operator.EXACT:
        return True
    if literal.operator is Operator.CONTAINS:
        return bool(text.strip("\0"))
    edge = text[:1] if literal.operator is Operator.STARTSWITH else text[-1:]
    return edge not in ("", "\0")


def _needle(literal: Literal) -> bytes:
    """The bytes scanned for; Hyperscan's literals end at NUL, so a part without one is taken."""
    whole = literal.text.encode()
    if literal.operator is Operator.CONTAINS:
        return max(whole.split(b"\0"), key=len)[:_LONGEST]
    if literal.operator is Operator.STARTSWITH:
        return whole.partition(b"\0")[0][:_LONGEST]
    return whole.rpartition(b"\0")[2][-_LONGEST:]


def _joined(texts: pa.Array) -> tuple[pa.Buffer, Ids]:
    """All texts in one buffer with a newline after each, and where each begins (and the end)."""
    joined = pc.binary_join(
        pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts), "\n"
    )[0].as_buffer()
    lengths = pc.binary_length(texts).to_numpy(zero_copy_only=False)
    starts = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(lengths + 1, out=starts[1:])
    return joined, starts
