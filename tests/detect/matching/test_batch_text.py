"""The text of a batch is folded as Python folds it, letter by letter beyond ASCII or whole."""

import sys

import pyarrow as pa
import pytest

from tocsin.detect.matching.batch_text import folded_text
from tocsin.detect.matching.vocabulary import fold

LETTERS = "".join(map(chr, (*range(0x20, 0xD800), *range(0xE000, sys.maxunicode + 1))))


def folded(*texts: str | None) -> str:
    batch = pa.RecordBatch.from_pydict({"a": pa.array(texts, pa.string())})
    return folded_text(batch, numbers=False).decode()


@pytest.mark.parametrize(
    "text", ["Ab C", "STRAẞE", "\u017fX İ K \u212a", "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ", "\ufb01"]
)
def test_text_is_folded_as_a_string_is(text: str) -> None:
    assert folded(text) == text.casefold()
    assert fold(pa.array([None, text, "A"])).to_pylist() == [None, text.casefold(), "a"]


def test_every_letter_is_folded_as_python_does() -> None:
    assert folded(LETTERS) == LETTERS.casefold()
    some = LETTERS[:3_000]
    for at in range(0, len(some), 10):
        assert folded(f"Ab{some[at : at + 10]}Cd") == f"ab{some[at : at + 10].casefold()}cd"
