"""What is told of filters that are read otherwise than they seem."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.store.filter_hints import filter_hints
from tocsin.store.lucene import parse_filter

NAMES = (
    *("user", "user.name", "host", "source", "src_ip", "message"),
    *("native.user", "native.User", "native.USER", "native.EventID", "native.one only"),
)


def better(text: str) -> list[str]:
    return [hint.better for hint in filter_hints(text, lambda: NAMES)]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("user:bob and source:windows", "user:bob AND source:windows"),
        ("failed or denied", "failed OR denied"),
        ("user:(bob or alice)", "user:(bob OR alice)"),
        ("a And b oR c", "a AND b OR c"),
        ("a and not b", "a AND NOT b"),
        ("not user:bob", "NOT user:bob"),
        ("a AND not (b or c)", "a AND NOT (b OR c)"),
        ('"salt and pepper" and c', '"salt and pepper" AND c'),
        ("message:/a and b/ or c", "message:/a and b/ OR c"),
        ("user = bob", "user:bob"),
        ("user=bob", "user:bob"),
        ("user == bob", "user:bob"),
        ('user = "bob x"', 'user:"bob x"'),
        ("user != bob", "NOT user:bob"),
        ("user<>bob", "NOT user:bob"),
        ("-user=bob", "-user:bob"),
        ("user = (bob or alice)", "user:(bob OR alice)"),
        ("EventID = 4624", "native.EventID:4624"),
        ("user = bob and not host = web01", "user:bob AND NOT host:web01"),
        ("native.user:bob", "(native.user:bob OR native.USER:bob OR native.User:bob)"),
        (
            "a AND NOT native.user:(b OR c)",
            "a AND NOT (native.user:(b OR c) OR native.USER:(b OR c) OR native.User:(b OR c))",
        ),
        ("native.eventid:1 AND x", "native.EventID:1 AND x"),
        ("_exists_:native.EVENTID", "_exists_:native.EventID"),
        ("native.ONE\\ only:x", "native.one\\ only:x"),
    ],
)
def test_a_filter_may_be_meant_otherwise(text: str, meant: str) -> None:
    assert better(text) == [meant]


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "and", "or x", "x and", "could not connect", "AND OR", "user:"),
        *('"a and b"', "user:bob AND host:web01", "uid=0 root", "a=b", "user:bob=1", "user="),
        *("native.EventID:1", "native.unheard:1", "message:/user = x/", "x:[and TO or]"),
    ],
)
def test_nothing_is_told_of_what_is_meant_as_it_stands(text: str) -> None:
    assert better(text) == []


def test_what_is_told_names_what_is_there() -> None:
    (words,) = filter_hints("user = bob and x", lambda: NAMES)
    assert words.told == (
        "“and” is a word to look for; to join parts write AND, OR, NOT; "
        "“user =” is text to look for; a value stands after a colon"
    )
    (known,) = filter_hints("native.user:x", lambda: NAMES)
    assert known.told == (
        "native.user finds this spelling alone; some sources write “native.USER”, “native.User”"
    )
    (unknown,) = filter_hints("native.uSeR:x", lambda: NAMES)
    assert unknown.told == (
        "no source writes native.uSeR; this finds “native.USER”, “native.User”, “native.user”"
    )


def test_both_kinds_are_told_apart() -> None:
    assert better("native.eventid:1 and user:x") == [
        "native.eventid:1 AND user:x",
        "native.EventID:1 and user:x",
    ]


def test_names_are_asked_for_only_where_they_matter() -> None:
    def asked() -> list[str]:
        raise AssertionError("nobody needs the names of fields here")

    assert filter_hints("user:bob AND failed", asked) == []
    assert [hint.better for hint in filter_hints("a and b", asked)] == ["a AND b"]


PIECES = st.sampled_from(
    [
        *("and", "or", "not", "AND", "user", "=", "!=", "==", ":", " ", "  ", "(", ")", '"', "/"),
        *("native.user:x", "native.eventid", "[1 TO 2]", "\\", "*", "bob", "-", "_exists_:"),
    ]
)


@given(st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=40))
def test_any_filter_gets_hints_that_can_be_searched(text: str) -> None:
    for hint in filter_hints(text, lambda: NAMES):
        assert hint.better != text
        parse_filter(hint.better)
