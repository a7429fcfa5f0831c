"""How often a literal is seen, learned from a sample of the lane's own events."""

from collections.abc import Iterable, Mapping

from tocsin.detect.matching.witness import FieldLiteral
from tocsin.detect.rules.matcher import Operator

SAMPLE_ROWS = 512
_KEPT_ROWS = 2048
_GRAM = 4
_UNSEEN = (0.5, 0.1, 0.03, 0.01, 0.002, 0.001, 0.0005, 0.0002)
"""What is added for a literal of that many bytes: short ones turn up sooner or later (letters beyond ASCII less)."""
_LONG_UNSEEN = 0.0001


class HitRates:
    """Shares of sampled events that show a literal. Learns from ever more samples."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._joined: dict[str, str] = {}
        self._grams: dict[str, set[str]] = {}
        self._fresh: dict[str, float] = {}
        self._rows = 0
        self._known: dict[FieldLiteral, float] = {}

    @property
    def rows(self) -> int:
        """Sampled events held."""
        return self._rows

    def learn(self, texts_by_field: Mapping[str, Iterable[str]], rows: int) -> None:
        """Take in the folded texts of ``rows`` more events; the oldest make room."""
        if self._rows + rows > _KEPT_ROWS:
            self._texts.clear()
            self._rows = 0
        self._rows += rows
        for field, texts in texts_by_field.items():
            self._texts.setdefault(field, []).extend(texts)
        self._joined = {f: "\n" + "\n".join(texts) + "\n" for f, texts in self._texts.items()}
        self._grams = {f: _grams_of(set(texts)) for f, texts in self._texts.items()}
        self._fresh = {f: len(set(t)) / max(1, len(t)) for f, t in self._texts.items()}
        self._known.clear()

    def rate(self, wanted: FieldLiteral) -> float:
        """What looking for a literal costs an event, never 0.

        The expected share of events that show it, plus the finds to be looked at in values not
        seen before (all of them, where values hardly repeat; hardly any, where they do).
        """
        if not self._rows:
            return unseen_rate(wanted)
        known = self._known.get(wanted)
        if known is None:
            known = self._known[wanted] = self._counted(wanted) + unseen_rate(wanted)
        return known

    def _counted(self, wanted: FieldLiteral) -> float:
        joined = self._joined.get(wanted.field)
        if not joined or not self._rows:
            return 0.0
        literal = wanted.literal
        if not _may_occur(literal.text, self._grams[wanted.field]):
            return 0.0
        before = "\n" if literal.operator in (Operator.EXACT, Operator.STARTSWITH) else ""
        after = "\n" if literal.operator in (Operator.EXACT, Operator.ENDSWITH) else ""
        shown = joined.count(before + literal.text + after)
        if literal.operator is Operator.EXACT:
            return shown / self._rows
        return (shown + joined.count(literal.text) * self._fresh[wanted.field]) / self._rows


def unseen_rate(wanted: FieldLiteral) -> float:
    """What looking for a literal costs an event as long as none is known to show it."""
    text, operator = wanted.literal
    if operator is Operator.EXACT:
        return _LONG_UNSEEN
    size = len(text) if text.isascii() else 2 * len(text.encode())
    return _UNSEEN[size] if size < len(_UNSEEN) else _LONG_UNSEEN


def _grams_of(texts: Iterable[str]) -> set[str]:
    return {text[at : at + _GRAM] for text in texts for at in range(len(text) - _GRAM + 1)}


def _may_occur(text: str, grams: set[str]) -> bool:
    """False when some part of ``text`` occurs nowhere: cheaper than counting, and the usual case."""
    last = len(text) - _GRAM
    if last < 0:
        return True
    return all(text[at : at + _GRAM] in grams for at in (0, last // 2, last))
