"""Structured data, CEF and LEEF read columnwise are exactly what they are line by line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.connectors.both_ways import SPLIT, compare, compare_records, decoded
from tocsin.ingest.syslog.syslog_escape import joined
from tocsin.model.record import Framing

BOTH = (Framing.LINES, Framing.SYSLOG)
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n"])

HEADERS = st.sampled_from(
    [
        *("<14>1 2026-06-30T08:14:02.000Z srx-1 RT_FLOW - ID ", "<14>1 - - - - - "),
        *("<165>1 2026-06-30T08:14:02Z h app 77 - ", "<192>1 - h a p m ", "<14>1 - h a b\\c m "),
        *("<14>1 - h CEF - m ", "<14>1  - h a p m ", "1 - h a p m ", "<14>1 - h ä p m "),
    ]
)
ELEMENTS = st.sampled_from(
    [
        *('[a x="1"]', '[a x="1" y="2"]', '[junos@2636.1.1.1.2.129 source-address="10.0.0.1"]'),
        *('[a x=""]', '[b x="1"]', '[a  x="1"   y="a b"]', '[a x="1" x="2"]', "[a]", "[]", "[a ]"),
        *('[a x="]"]', '[a x="="]', '[a x="[b y="]', '[a x="\\""]', '[a x="\\\\"]', '[a x="\\n"]'),
        *('[a x="é"]', '[ä x="1"]', '[a ä="1"]', '[a\tx="1"]', '[a x="\t"]', '[a x= "1"]'),
        *('[a x="1"', '[a x="1]', 'a x="1"]', "[a x=1]", "-", '[action:"Accept"; x:"1"; ]'),
        *('[a=b x="1"]', f'[{"i" * 256} x="1"]', f'[a {"n" * 256}="1"]', f'[a {"n" * 255}="1"]'),
        *('[a x="audit(1.5:2)"]', "[", " ", "", '[a\0b x="1"]', '[a x="\x0b"]', '[a.b c.d="1"]'),
    ]
)
BODIES = st.sampled_from(
    [
        *("", " ", " words", "  two", " {}", ' {"a": "b\\\\c", "d": 1}', " a=1 b=2 c=3", "[b]"),
        *(" CEF:0|V|P|1|2|n|3|a=b", " LEEF:1.0|V|P|1|2|a=b\tc=d", ' x="1"]', "]", " \ufeffx", " é"),
        *(' [c z="1"]', ":x", " -", " audit(1.5:2): a=b", "\t", " @cee:{}"),
    ]
)
STRUCTURED = st.builds(
    "{}{}{}{}".format, HEADERS, ELEMENTS, st.one_of(st.just(""), ELEMENTS), BODIES
)


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.tuples(STRUCTURED, ENDS), min_size=1, max_size=12),
    st.integers(1, 3),
    st.sampled_from(BOTH),
)
def test_made_up_structured_data(
    lines: list[tuple[str, str]], times: int, framing: Framing
) -> None:
    compare_records("".join(line + end for line, end in lines * times).encode(), framing)


@pytest.mark.parametrize(
    "line",
    [
        '<14>1 2026-06-30T08:14:02.000Z srx-1 RT_FLOW - S [j@1.2 a-b="1" c="Zoë"] session',
        '<14>1 2026-06-30T08:14:02Z h app 7 m [a x="1" y="two words"][b x="z"] a=1 b=2 c=3',
        '<14>1 2026-06-30T08:14:02Z h app 7 m [a x="1"] {"a": 1, "b": "c"}',
        '<14>1 2026-06-30T08:14:02Z h app 7 m [a x="1"]',
        '<134>1 2026-06-30T10:31:01Z cp-gw-1 CheckPoint 2201 - [action:"Accept"; flags:"411908"; ]',
    ],
)
@pytest.mark.parametrize("framing", BOTH)
def test_structured_data_becomes_columns(line: str, framing: Framing) -> None:
    payload = joined([line.encode()] * 9)
    compare_records(payload, framing)
    assert compare([payload], framing) == (9, 9)
    assert not decoded(payload, framing, SPLIT).shaped.loose  # type: ignore[union-attr]


VERSIONS = st.sampled_from(
    ["LEEF:1.0", "LEEF:2.0", "LEEF:2.1", "LEEF: 1.0", "LEEF:2", "LEEF:20.1", "CEF:0", "CEF:1.2"]
)
PARTS = st.sampled_from(
    ["V", "V", "", "two words", "a\\|b", "a\\\\", "a\\b", "\\", "é", "a=b", "\t"]
)
DELIMITERS = st.sampled_from(
    ["", "", "", "^|", "|", "\t|", "x5E|", "0x09|", "x0009|", "x5|", "=|", " |", "x20|", "é|", "^"]
)
KEYS = st.sampled_from(
    ["a", "b", "src", "usrName", "cs1", "a b", "1a", "é", "a[0]", "", "name", "eventID", " c", "c "]
)
TOLD = st.sampled_from(
    [
        *(
            "1",
            "two words",
            "",
            " ",
            " x ",
            "a\\=b",
            "C:\\\\new",
            "C:\\new",
            "x\\ny",
            "x\\\\ny",
            "\\",
        ),
        *(
            "x=y",
            "a^b",
            "a|b",
            "a\\|b",
            "é",
            "xé",
            "\u00a0x",
            "http://h/?a=b&c=d",
            "\\=",
            "audit(1.5:2)",
        ),
    ]
)
BETWEEN = st.sampled_from(["\t", "\t", "^", "^", " ", " ", "\t\t", "  ", "|", "\t "])
EVENTS = st.builds(
    lambda version, parts, delimiter, pairs, between, end: (
        "|".join([version, *parts])
        + "|"
        + delimiter
        + between.join(f"{key}={value}" for key, value in pairs)
        + end
    ),
    VERSIONS,
    st.lists(PARTS, min_size=3, max_size=7),
    DELIMITERS,
    st.lists(st.tuples(KEYS, TOLD), max_size=4),
    BETWEEN,
    st.sampled_from(["", "", "\t", "^", " ", " words", "\r"]),
)
BEFORE = st.sampled_from(
    [
        "",
        "<13>Jun 30 08:01:12 fw-1 ",
        "<13>1 2026-06-30T08:02:15Z h a - - - ",
        "<13>Jun 30 08:01:12 h é",
    ]
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.builds("{}{}".format, BEFORE, EVENTS), min_size=1, max_size=10),
    st.integers(1, 3),
    st.sampled_from(BOTH),
)
def test_made_up_events(lines: list[str], times: int, framing: Framing) -> None:
    compare_records("\n".join(lines * times).encode(), framing)


@pytest.mark.parametrize(
    "line",
    [
        "LEEF:1.0|Example|Vault|2.0|login|usrName=ada\tsev=3\tmsg=Login from console\tx=",
        "LEEF:2.0|Example|Gateway|5.0|deny|^|devTime=1782833520000^src=198.51.100.121^msg=a b=c",
        "LEEF:2.0|Example||5.0|deny|x09|src=198.51.100.121\tmsg=Zoë ging\t",
        "LEEF:1.0|Example|Vault|2.0|login|usrName=ada sev=3 msg=Login from console",
        "CEF:0|V|P\\|Q|1|2|n|3|a=C:\\\\Temp\\new b=x\\=y c=one\\ntwo d=plain",
    ],
)
@pytest.mark.parametrize("head", ["", "<13>Jun 30 08:01:12 vault-2 "])
def test_events_become_columns(line: str, head: str) -> None:
    payload = "\n".join([head + line] * 9).encode()
    compare_records(payload, Framing.LINES)
    assert not decoded(payload, Framing.LINES, SPLIT).shaped.loose  # type: ignore[union-attr]


TEXTS = st.sampled_from(
    [
        *(
            "<13>Jun 30 08:01:12 h app[7]: words",
            "a=1 b=2 c=3",
            "words",
            "",
            "\r",
            "  ",
            "é",
            "\tx",
        ),
        *('<13>Jun 30 08:01:12 h app[7]: {"a": 1, "b": "c"}', '\ufeff{"a":1}', ' {"a":1}', "\x00"),
        *('{"a":1', '{"a":1,"a":2}', '{"odd":[{"x":1}]}', "{}", "[1]", "{", '{"a":"b"} x', "x\x0b"),
        *(
            "audit(1.5:2): a=b",
            "type=X msg=audit(1782806480.001:9080): a=b",
            "CEF:0|V|P|1|2|n|3|a=b",
        ),
    ]
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(TEXTS, st.integers(0, 30)), max_size=10), st.integers(1, 3))
def test_text_among_objects(texts: list[tuple[str, int]], times: int) -> None:
    lines = [f'{{"a": {at}, "b": "c"}}' for at in range(30)]
    for text, at in texts:
        lines.insert(at, text)
    assert compare(["\n".join(['{"a":1}', *lines * times]).encode()])[1] >= 30


def test_text_among_objects_becomes_columns() -> None:
    line = "<13>Jun 30 08:01:12 h app[7]: words"
    payload = "\n".join([*('{"a": 1, "b": "c"}', line, '{"a": 2, "b": "d"}')] * 9).encode()
    assert compare([payload]) == (27, 27)
    assert not decoded(payload, Framing.LINES, SPLIT).shaped.loose  # type: ignore[union-attr]


def test_what_is_unreadable_among_objects_is_told_by_its_line() -> None:
    lines = [*['{"a": 1, "b": "c"}'] * 20, "words", '{"a": 1', "words", *['{"a": 1, "b": "c"}'] * 9]
    compare_records("\n".join(lines).encode(), Framing.LINES)
    found = decoded("\n".join(lines).encode(), Framing.LINES, SPLIT)
    assert [one.ordinal for one in found.unreadable] == [22]
