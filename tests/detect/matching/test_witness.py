"""Witnesses: necessary, and the rarest of those that are."""

import re

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from tests.detect.rule_texts import one_rule
from tocsin.detect.matching.hit_rate import HitRates
from tocsin.detect.matching.literal_scan import Literal, LiteralScan
from tocsin.detect.matching.mandatory import mandatory_literal
from tocsin.detect.matching.vocabulary import Vocabulary
from tocsin.detect.matching.witness import FieldLiteral, Probe, choose_witness
from tocsin.detect.rules.matcher import Operator

EVENLY = HitRates().rate


def texts_of(detection: str, rates: HitRates | None = None) -> list[str] | None:
    witness = choose_witness(one_rule(detection).condition, (rates or HitRates()).rate)
    if witness is None:
        return None
    return [
        f"{atom.field} {atom.literal.operator.value} {atom.literal.text}"
        if isinstance(atom, FieldLiteral)
        else f"{atom.matcher.field} probe"
        for atom in witness.atoms
    ]


@pytest.mark.parametrize(
    ("detection", "expected"),
    [
        (
            "  s: {Image|endswith: '\\net.exe', CommandLine|contains: ' -s'}\n  condition: s",
            ["Image endswith \\net.exe"],
        ),
        (
            "  s: {Image: [A, b]}\n  t: {User: c}\n  condition: s or t",
            ["Image exact a", "Image exact b", "User exact c"],
        ),
        ("  s: {Image: a}\n  condition: not s", None),
        ("  s: {Image: null}\n  t: {User: c}\n  condition: s or t", None),
        ("  s: {Image: null}\n  t: {User: c}\n  condition: s and t", ["User exact c"]),
        ("  s: {Image|contains: 'a*longest?b'}\n  condition: s", ["Image contains longest"]),
        ("  s: {Image|re: 'x+mimikatz(a|b)'}\n  condition: s", ["Image contains mimikatz"]),
        ("  s: {Ip|cidr: 10.0.0.0/8}\n  condition: s", ["Ip probe"]),
        ("  s: {Image|fieldref: User}\n  condition: s", ["Image probe"]),
        ("  k: [word]\n  condition: k", [" contains word"]),
    ],
)
def test_the_witness_of_a_rule(detection: str, expected: list[str] | None) -> None:
    assert texts_of(detection) == expected


def test_the_rarest_part_in_the_events_seen_is_chosen() -> None:
    detection = "  s: {CommandLine|contains|all: [powershell, hiddenword]}\n  condition: s"
    rates = HitRates()
    rates.learn({"CommandLine": ["a hiddenword"] * 50 + ["powershell hiddenword"]}, 51)
    assert texts_of(detection, rates) == ["CommandLine contains powershell"]
    rates.learn({"CommandLine": ["powershell"] * 200}, 200)
    assert texts_of(detection, rates) == ["CommandLine contains hiddenword"]


def test_presence_is_probed_where_nothing_better_is_known() -> None:
    witness = choose_witness(
        one_rule("  s: {Image|exists: true}\n  condition: s").condition, EVENLY
    )
    assert witness is not None
    (atom,) = witness.atoms
    assert isinstance(atom, Probe)


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [
        ("mimikatz", "mimikatz"),
        ("(?i)MimiKatz", "mimikatz"),
        ("a|b", ""),
        ("(a|b)cde", "cde"),
        ("abc?def", "def"),
        ("abcd+ef", "abcd"),
        ("ab{2,3}cdef", "cdef"),
        ("x*abc", "abc"),
        (r"\.exe$", ".exe"),
        (r"\\cmd\.exe", "\\cmd.exe"),
        (r"\d+foo\b", "foo"),
        (r"[a-z]bar[]x]baz", "bar"),
        (r"\x41bc", "bc"),
        (r"\pLabc", "abc"),
        (r"a\nbc", "a\nbc"),
        ("", ""),
    ],
)
def test_the_text_an_expression_cannot_do_without(pattern: str, literal: str) -> None:
    assert mandatory_literal(pattern) == literal


_pieces = st.sampled_from(
    [
        "ab",
        "c",
        ".",
        "d*",
        "e+",
        "(f|g)",
        "[h-j]",
        "k?",
        "l{2}",
        r"\.",
        r"\d",
        "^",
        "$",
        "|",
        "(?:m)",
    ]
)
_subjects = st.text(alphabet="abcdefghijklm.1", max_size=12)


@given(st.lists(_pieces, min_size=1, max_size=5).map("".join), st.lists(_subjects, max_size=10))
def test_whatever_an_expression_matches_contains_its_literal(
    pattern: str, subjects: list[str]
) -> None:
    try:
        compiled = re2.compile(pattern)
        re.compile(pattern)
    except (re2.error, re.error):
        return
    for subject in subjects:
        if compiled.search(subject):
            assert mandatory_literal(pattern) in subject


_texts = st.text(alphabet="ab\n\0é", max_size=5)
_literals = st.builds(
    Literal,
    st.text(alphabet="ab\n\0é", min_size=1, max_size=3).filter(lambda text: "\0" not in text),
    st.sampled_from([Operator.EXACT, Operator.CONTAINS, Operator.STARTSWITH, Operator.ENDSWITH]),
)


@given(
    st.lists(_texts, min_size=1, max_size=6, unique=True),
    st.lists(_literals, min_size=1, max_size=4),
)
def test_a_scan_misses_no_literal_and_invents_none(
    texts: list[str], literals: list[Literal]
) -> None:
    vocabulary = Vocabulary()
    codes = vocabulary.codes_of(texts)
    wanted = {literal: [number] for number, literal in enumerate(dict.fromkeys(literals))}
    numbers, found = LiteralScan(wanted).hits(vocabulary, codes)
    by_text = {
        Operator.EXACT: lambda text, part: text == part,
        Operator.CONTAINS: lambda text, part: part in text,
        Operator.STARTSWITH: lambda text, part: text.startswith(part),
        Operator.ENDSWITH: lambda text, part: text.endswith(part),
    }
    expected = {
        (number, code)
        for literal, (number,) in wanted.items()
        for code, text in enumerate(texts)
        if by_text[literal.operator](text, literal.text)
    }
    assert set(zip(numbers.tolist(), found.tolist(), strict=True)) >= expected
    if not any("\n" in text or "\n" in literal.text for text in texts for literal in literals):
        assert set(zip(numbers.tolist(), found.tolist(), strict=True)) == expected
