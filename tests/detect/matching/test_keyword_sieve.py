"""What the sieve does not find in the JSON of events, no keyword finds in their values."""

import sys
from pathlib import Path

import pytest

from tocsin.detect.matching.keyword_sieve import KeywordSieve, keywords_of
from tocsin.detect.reading.ruleset import load_rules
from tocsin.detect.rules.match_rule import SigmaMatchRule


def rules(folder: Path, keywords: str) -> tuple[SigmaMatchRule, ...]:
    (folder / "rule.yml").write_text(
        "title: Words\nid: 0b1f3c7e-93a5-4a52-8f0e-5b7f6f9b2c22\nlogsource: {product: windows}\n"
        f"detection:\n  keywords:\n    {keywords}\n  condition: keywords\n"
    )
    return load_rules([folder]).rules


@pytest.mark.parametrize(
    ("keywords", "pieces"),
    [
        ("- 'SekurLSA::'", {b"sekurlsa::"}),
        ("- 'C:\\Temp\\evil.dll'", {b"evil.dll"}),
        ("- 'ab*cd*ef'", None),
        ("'|re': 'ab+c'", None),
        ("- 'abc'", None),
        ("- 'a\\b\\c\\d'", None),
        ("- '1234'", None),
        ("- 'false'", None),
        ("- 'größe'", None),
    ],
)
def test_a_piece_of_each_keyword_is_looked_for(
    tmp_path: Path, keywords: str, pieces: set[bytes] | None
) -> None:
    found = keywords_of(rules(tmp_path, keywords))
    assert found == (None if pieces is None else frozenset(pieces))


def test_rules_without_keywords_have_no_pieces(tmp_path: Path) -> None:
    assert keywords_of(rules(tmp_path, "Image: 'cmd.exe'")) == frozenset()
    assert KeywordSieve(()).found_in([b'{"a":"b"}']) == frozenset()


def test_pieces_are_found_in_any_case_and_text() -> None:
    sieve = KeywordSieve([b"sekurlsa::", b"evil.dll"])
    assert sieve.found_in([b"{}", b'{"a":"SEKURlsa::x"}']) == frozenset((b"sekurlsa::",))
    assert sieve.found_in([b'{"a":"C:\\\\Evil.DLL"}', b"sekurlsa::"]) == sieve.found_in(
        [b"evil.dll sekurlsa::"]
    )
    assert sieve.found_in(["schön 日本".encode()]) == frozenset()


def test_letters_that_fold_to_ascii_are_told_whatever_they_are() -> None:
    sieve = KeywordSieve([b"sekurlsa::"])
    beyond = (*range(0x80, 0xD800), *range(0xE000, sys.maxunicode + 1))
    folding = [chr(at) for at in beyond if any(map(str.isascii, chr(at).casefold()))]
    assert {"\u212a", "\u00df", "\u017f", "\ufb01"} <= set(folding)
    assert all(sieve.found_in([letter.encode()]) is None for letter in folding)
