"""Whether keywords of rules can be in Windows events at all, told from the events' JSON unread."""

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

import numpy as np

from tocsin.detect.matching.batch_text import NUMBER_CHARACTERS
from tocsin.detect.matching.needle_finder import NeedleFinder
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import KEYWORD, Operator, matchers_in

_LITERAL = frozenset((Operator.EXACT, Operator.CONTAINS, Operator.STARTSWITH, Operator.ENDSWITH))
_PLAIN = re.compile(r'[^"\\/\x00-\x1f\x7f-\U0010ffff]+')
"""What JSON has no escape for."""
_SHORTEST = 4
_LOWERING = 0x20
"""Set in every byte, letters of both cases are alike (and so are some others: no matter)."""
_LAST_ASCII = 0x7F
_FOLDING = (*range(0x80, 0x2200), *range(0xFB00, 0xFB07))
"""Where the letters beyond ASCII are that fold to ASCII ones."""


def keywords_of(rules: Iterable[SigmaMatchRule]) -> frozenset[bytes] | None:
    """Of each keyword the rules look for a piece, in the form ``KeywordSieve`` wants it.

    None where one has no piece that is long enough and no number, or is a pattern.
    """
    found: set[bytes] = set()
    for rule in rules:
        for matcher in matchers_in(rule.condition):
            if matcher.field != KEYWORD:
                continue
            if matcher.operator not in _LITERAL:
                return None
            for value in matcher.values:
                piece = max(_PLAIN.findall(value), key=len, default="")
                if len(piece) < _SHORTEST or NUMBER_CHARACTERS.issuperset(piece.lower().encode()):
                    return None
                found.add(_soft(piece.encode()))
    return frozenset(found)


class KeywordSieve:
    """Tells which pieces of keywords are in texts; what it does not name is in no value of them.

    For JSON whose writer escapes quotes, backslashes and control characters and nothing else.
    """

    def __init__(self, pieces: Collection[bytes]) -> None:
        self._finder = NeedleFinder(sorted(pieces)) if pieces else None

    def found_in(self, texts: Sequence[bytes]) -> frozenset[bytes] | None:
        """The pieces that occur; None when letters are there that fold to what ASCII has."""
        if any(_has_folding(text) for text in texts):
            return None
        if self._finder is None:
            return frozenset()
        needles = self._finder.needles
        found: set[int] = set()
        for text in texts:
            found.update(self._finder.ends(_soft(text))[0].tolist())
        return frozenset(needles[number] for number in found)


def _soft(text: bytes) -> bytes:
    return (np.frombuffer(text, np.uint8) | np.uint8(_LOWERING)).tobytes()


def _has_folding(text: bytes) -> bool:
    if text.isascii():
        return False
    data = np.frombuffer(text, np.uint8)
    letters = set(data[data > _LAST_ASCII].tobytes().decode("utf-8", "replace"))
    return not letters.isdisjoint(_folding_letters())


@lru_cache(maxsize=1)
def _folding_letters() -> frozenset[str]:
    letters = map(chr, _FOLDING)
    return frozenset(one for one in letters if any(part.isascii() for part in one.casefold()))
