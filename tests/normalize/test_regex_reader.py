"""Columns read with expressions all at once are what RE2 reads of each text."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml

from tocsin import connectors
from tocsin.app.benches.bench_text import text_lines
from tocsin.normalize import regex_columns
from tocsin.normalize.regex_columns import capture
from tocsin.normalize.regex_reader import RegexReader, regex_reader

ATOMS = (
    *("a", "b", "ab", "x", " ", ":", "1", '"', "=", "\\\\", "é", r"\d", r"\w", r"\S", r"\s", "."),
    *("[^:]", "[ab]", '[^"\\\\]', "[^ :=]", r"[\d.]", "[a-]", r"[^\w]", "[A-Za-z_]"),
)
QUANTIFIERS = ("", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}")
LETTERS = ("a", "b", "ab", "x", " ", ":", "1", '"', "=", "\\", "é", "\n", ".", "_", "-", "Z", "aé1")


def sequence(rng: Random, depth: int) -> str:
    pieces: list[str] = []
    for _ in range(rng.randint(1, 4)):
        if depth and rng.randrange(3) == 0:
            inner = "|".join(sequence(rng, depth - 1) for _ in range(rng.randint(1, 2)))
            kind = rng.choice(["(?:", "(?:", "(?P<G>"])
            quantifiers = QUANTIFIERS if kind == "(?:" else ("", "", "?", "??")
            pieces.append(f"{kind}{inner}){rng.choice(quantifiers)}")
        else:
            atom, quantifier = rng.choice(ATOMS), rng.choice(QUANTIFIERS)
            is_text = len(atom) == 2 and atom[0] != "\\"
            pieces.append((f"(?:{atom})" if is_text and quantifier else atom) + quantifier)
    return "".join(pieces)


def any_regex(rng: Random) -> str:
    """An expression with named groups, anchored or beginning with a text."""
    body = rng.choice(["^", "^", "a", ": "]) + sequence(rng, 2)
    body += rng.choice(["", "", "$", r"\b", "(?P<G>.*)", " (?P<G>.*)$"])
    pieces = body.split("(?P<G>")
    named = pieces[0] + "".join(f"(?P<g{at}>{piece}" for at, piece in enumerate(pieces[1:]))
    return named if len(pieces) > 1 else f"{named}(?P<g>x?)"


@pytest.mark.parametrize("seed", range(4))
def test_any_expression_is_read_as_re2_reads_it(seed: int) -> None:
    rng = Random(seed)  # noqa: S311 - repeatable, guards nothing
    for _ in range(60):
        regex = any_regex(rng)
        reader = regex_reader(regex)
        if reader is not None:
            texts = ["".join(rng.choices(LETTERS, k=rng.randrange(10))) for _ in range(30)]
            same_as_re2(reader, regex, pa.array(texts, pa.string()))


def same_as_re2(reader: RegexReader, regex: str, texts: pa.StringArray) -> int:
    """Compare, and say how many texts were left to RE2."""
    found = reader.read(texts)
    expected = pc.extract_regex(texts, regex)
    sure = ~found.given_up
    assert (expected.is_valid().to_numpy(zero_copy_only=False) == found.matched)[sure].all(), regex
    rows = np.flatnonzero(found.matched & sure)
    for at, name in enumerate(expected.type.names):
        begins, ends = found.group(name, rows)
        got = [
            found.data[begin:end].tobytes().decode()
            for begin, end in zip(begins, ends, strict=True)
        ]
        assert got == expected.field(at).take(pa.array(rows)).to_pylist(), (regex, name)
    return int(found.given_up.sum())


def declared(content: Any) -> Iterator[str]:
    """The expressions of patterns in a mapping."""
    if isinstance(content, dict):
        for name, value in content.items():
            if name == "regex" and isinstance(value, str):
                yield value
            else:
                yield from declared(value)
    elif isinstance(content, list):
        for value in content:
            yield from declared(value)


@cache
def shipped() -> list[tuple[Path, str]]:
    folders = Path(str(connectors.__file__)).parent
    return [
        (path.parent, regex)
        for path in sorted(folders.glob("*/*.yml"))
        for regex in declared(yaml.safe_load(path.read_text()))
    ]


@cache
def sample_lines(folder: Path) -> pa.StringArray:
    """The samples of a connector, whole and without what stands before their message."""
    lines = [
        line
        for path in sorted((folder / "samples").glob("*"))
        if path.suffix in (".log", ".txt", ".csv")
        for line in path.read_text().splitlines()
    ]
    cut = [line.partition(": ")[2] for line in lines]
    mangled = [line[: len(line) * 2 // 3] + "é" for line in cut]
    return pa.array([*lines, *cut, *mangled, "", "é", "é: é"], pa.string())


def test_shipped_expressions_read_their_samples_as_re2_does() -> None:
    read = 0
    for folder, regex in shipped():
        reader = regex_reader(regex)
        if reader is not None:
            read += 1
            same_as_re2(reader, regex, sample_lines(folder))
    assert read > len(shipped()) * 0.8


@pytest.mark.parametrize(
    ("kind", "name"), [("sshd", "linux"), ("access", "webserver"), ("asa", "cisco")]
)
def test_everyday_lines_are_not_left_to_re2(kind: str, name: str) -> None:
    lines = pa.array([line.split(": ", 1)[-1] for line in text_lines(kind, 300)], pa.string())
    left = [
        same_as_re2(reader, regex, lines)
        for folder, regex in shipped()
        if folder.name == name and (reader := regex_reader(regex)) is not None
    ]
    assert left
    assert max(left) == 0


def test_columns_of_many_texts_are_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regex_columns, "_AT_ONCE", 700)
    regex = r"^(?P<a>\w+) (?P<b>[^:]{0,1})(?P<c>x)?: (?P<d>.?)(?P<e>.*)$"
    texts = pa.array(
        [(None, "a b: c", "a: c", f"w{n} é: é{n}", f"v{n} x: ")[n % 5] for n in range(2500)]
    )
    matched, columns = capture(texts, regex)
    expected = pc.extract_regex(texts, regex)
    assert matched.tolist() == expected.is_valid().to_pylist()
    rows = expected.filter(pa.array(matched))
    read = {name: [one or None for one in column.to_pylist()] for name, column in columns.items()}
    assert read == {
        name: [value or None for value in rows.field(at).to_pylist()]
        for at, name in enumerate(rows.type.names)
    }


def test_one_text_that_could_be_read_in_countless_ways_is_left_to_re2() -> None:
    regex = r"^(?P<a>.*?)(?P<b>.*?)(?P<c>.*?)(?P<d>.*?)(?P<e>.*?):$"
    reader = regex_reader(regex)
    assert reader is not None
    assert same_as_re2(reader, regex, pa.array(["a" * 60, "a:"])) == 1
