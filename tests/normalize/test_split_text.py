"""Texts are cut into columns and pairs as they were written."""

import csv
import io
import re
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.normalize import pair_kinds
from tocsin.normalize.split_text import split_columns, split_pairs

TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=6)
ROWS = st.lists(st.lists(TEXTS, min_size=1, max_size=5), min_size=1, max_size=5)


@given(ROWS, st.sampled_from([",", ";", "|"]))
def test_columns_come_back_as_csv_wrote_them(rows: list[list[str]], separator: str) -> None:
    lines = []
    for row in rows:
        into = io.StringIO()
        csv.writer(into, delimiter=separator, lineterminator="").writerow(row)
        lines.append(into.getvalue())
    found = split_columns(pa.array(lines, pa.string()), ["a", "", "c"], separator)
    assert found.keys() == {"a", "c"}
    for row, a, c in zip(rows, found["a"].to_pylist(), found["c"].to_pylist(), strict=True):
        assert (a, c) == (row[0], row[2] if len(row) > 2 else None)


ODD_VALUES = st.lists(
    st.sampled_from(
        ['"', '""', ",", "a", "é", ' "', '"a,b"', '"x"', '"a""b"', "\n", "\r", "", '",']
    )
)


@given(st.lists(ODD_VALUES.map("".join), min_size=1, max_size=5))
def test_columns_of_any_text_are_those_of_each_row(rows: list[str]) -> None:
    found = split_columns(pa.array(rows, pa.string()), ["a", "b", "c"], ",")
    for at, row in enumerate(rows):
        read = (
            next(csv.reader([row.translate({10: " ", 13: " "})]), [])
            if '"' in row
            else row.split(",")
        )
        expected = [*read, None, None, None][:3]
        assert [found[name][at].as_py() for name in "abc"] == expected


def test_a_value_that_is_too_large_for_quotes_is_cut_at_separators() -> None:
    text = pa.array(['a"b,' + "x" * 200_000 + ",c"])
    found = split_columns(text, ["a", "", "c"], ",")
    assert (found["a"].to_pylist(), found["c"].to_pylist()) == (['a"b'], ["c"])


def test_pairs_among_words() -> None:
    text = pa.array(['[BLOCK] IN=eth0 OUT= LEN=60 DF LEN=40 NOTE="two words"', "no pair", "IN=lo"])
    found = {name: column.to_pylist() for name, column in split_pairs(text, "=", " ").items()}
    assert found == {
        "IN": ["eth0", None, "lo"],
        "LEN": ["60", None, None],
        "NOTE": ["two words", None, None],
    }


def test_pairs_of_another_make() -> None:
    text = pa.array(['[action:"Accept"; src:"192.0.2.1"; rule: 7; empty:""]'])
    found = {name: column.to_pylist() for name, column in split_pairs(text, ":", ";").items()}
    assert found == {"action": ["Accept"], "src": ["192.0.2.1"], "rule": ["7"]}


@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_text_is_taken(texts: list[str]) -> None:
    column = pa.array(texts, pa.string())
    for values in (
        *split_pairs(column, "=", " ").values(),
        *split_columns(column, ["a"], ",").values(),
    ):
        assert len(values) == len(texts)


PIECES = st.sampled_from(
    [
        *("a", "b", "x.y", "-a", "1b", "=", "==", " ", " ", ";", ":", '"', '"x y"', '=""'),
        *("é", "ä=", '\\"', "\n", "\t", "_z=", "k=v ", "k=v"),
    ]
)
WORDS = st.one_of(st.none(), st.lists(PIECES, max_size=12).map("".join))


@given(st.lists(WORDS, min_size=1, max_size=5), st.sampled_from(["= ", ":;", "=, ", "=="]))
def test_pairs_of_many_rows_are_those_of_each(rows: list[str | None], marks: str) -> None:
    expected = pairs_of_each(rows, marks)
    found = split_pairs(pa.array(rows, pa.string()), marks[0], marks[1:])
    assert {name: column.to_pylist() for name, column in found.items()} == expected
    assert list(found) == list(expected)


ALIKE = st.sampled_from(
    [
        *("a=1 b=2", "a=1 b=22", "a=1 c=2", "ab=1 b=", "a= a=7 b=2", "a=1 x b=2", "a=1 y=z=3"),
        *("-a=1 b=2", "1a=1 b=2", "[a]b=1 c=2", 'a="q" b=2', "a=é b=2", " a=1 b=2", "=1 b=2"),
        *("a=1\tb=2 c", "", "a:1; b: 2 ;c:3", "a:1; b: 4 ;c:", "a:1,b=2"),
        *('[a:"1"; b:"x;y"; c:"z:"; ]', '[a:"2"; b:"z"; c:""; ]', '[a:"1"; b:" y "; c:"z"; ]'),
        *('a:"1"; b:"é"; c:"\n"', 'a:"1\\"; b:"2"; c:"3"', 'a:x"y"; b:"z"', 'a:x b:"y"; c:"z"'),
        *('a:"1"b:"2";c:"3"', 'a:"1" b:2;c:"3', 'a="x y" b="=" c=1', 'a=" x" b=z', 'a=="x" b="y"'),
        *('a="" b=" " c="x"', 'x "y" a="z"', '"x" a="z"', '-a="1" b="2"', 'a="1" a="2"', 'a=" "'),
        *("a=1, b=2", "a=1,x, b=2", 'a="q", b=x,y', "x a=1,b=2, c=3,", 'a="x, y", b=, c="z"'),
        *("a=1,, b= ,c", ", a=1, b=2", 'a="1"b=2, c="3" ', "a=1 ,b=2, c"),
        *('a:"1",b:"2"', '"a:"b:"c', 'a:"b:"c;d:"e"', 'a="C:\\x" b="y"', 'a="x=\\" b="y"'),
    ]
)


@settings(deadline=None)
@given(st.lists(ALIKE, min_size=1, max_size=12), st.sampled_from(["= ", ":;", "=,", "=, "]))
def test_pairs_at_the_same_places_are_those_of_each(rows: list[str], marks: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_kinds, "_FEWEST", 1)
        found = split_pairs(pa.array(rows, pa.string()), marks[0], marks[1:])
    expected = pairs_of_each(rows, marks)
    assert {name: column.to_pylist() for name, column in found.items()} == expected


def pairs_of_each(rows: Sequence[str | None], marks: str) -> dict[str, list[str | None]]:
    """What an expression finds in one text after the other."""
    assign, between = marks[0], marks[1:]
    pair = re.compile(
        rf'(?<![\w.\-])([A-Za-z_][\w.\-]*){assign}("(?:[^"\\]|\\.)*"|(?:(?!{between}).)*)',
        re.DOTALL,
    )
    expected: dict[str, list[str | None]] = {}
    for row, text in enumerate(rows):
        for name, value in pair.findall(text or ""):
            if value and value != '""':
                column = expected.setdefault(name, [None] * len(rows))
                plain = value[1:-1] if value[0] == '"' else value
                if column[row] is None:
                    column[row] = plain.strip()
    return expected
