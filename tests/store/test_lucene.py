"""Any text is a filter or a clear error; none becomes anything but data."""

import duckdb
import pytest
import sqlglot
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from tocsin.store.fields import FieldCatalogue
from tocsin.store.lucene import beside_native, check_filter, compile_filter
from tocsin.store.ports import QueryError, SeenField

CATALOGUE = FieldCatalogue(
    [
        SeenField("a.b", "native", ("EventID",)),
        SeenField("a.b", "native", ("list", "[]", "key")),
        SeenField("a.b", "ocsf", ("x.y",)),
    ]
)
WORDS = """user: host: native.EventID: native.list.key: x.y: pid: time: src_ip: source: lane: bob * ?
( ) [ ] { } TO AND OR NOT + - ! && || : / ^ ~ 10.0.0.0/8 5 -5 2026-01-01 '; -- /a.+/ /[/ >= <= > <
_exists_: % _ ' $1 {} */ /*"""
PIECES = st.sampled_from([*WORDS.split(), '"', '"fe80::/10"', "\\", "\x1f", "é"])
SENTENCES = st.lists(PIECES, max_size=12).map(lambda parts: " ".join(parts)) | st.lists(
    PIECES, max_size=12
).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.text() | SENTENCES)
@example("user:bob'; DROP TABLE events; --")
@example("\ud800")
@example("/")
@example("0^.")
@example("a~1.1.1")
@example('"')
@example("\\")
@example("a" * 9_999)
@example("NOT " * 2_000 + "a")
def test_any_text_compiles_or_is_refused(text):
    refused = None
    try:
        sql = compile_filter(text, CATALOGUE).condition.sql("duckdb")
    except QueryError as error:
        refused = error
    if refused is None:
        assert len(sqlglot.parse(sql, read="duckdb")) == 1
    else:
        assert str(refused)
        assert refused.at is None or 0 <= refused.at <= len(text)


@pytest.fixture(scope="module")
def database():
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (value VARCHAR)")
        yield connection


@settings(max_examples=150, deadline=None)
@given(
    value=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)
)
@example("%")
@example("_")
@example("\\")
@example("'")
@example("a\\")
@example("C:\\new\\*")
def test_a_quoted_value_finds_exactly_itself(database, value):
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    for query, expected in (
        (f'user:"{quoted}"', 1),
        (f'user:"{quoted}x"', 0),
        (f'NOT user:"{quoted}"', 0),
    ):
        condition = compile_filter(query, CATALOGUE).condition.sql("duckdb")
        statement = f"SELECT count(*) FROM (SELECT ? AS user_name) AS t WHERE {condition}"  # noqa: S608
        assert database.execute(statement, [value]).fetchall() == [(expected,)]


@settings(max_examples=150, deadline=None)
@given(before=st.text("ab%_\\'", max_size=4), after=st.text("ab%_\\'", max_size=4))
def test_a_pattern_matches_what_its_star_leaves_open(database, before, after):
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\")

    query = f"user:x{escaped(before)}*{escaped(after)}y"
    condition = compile_filter(query, CATALOGUE).condition.sql("duckdb")
    statement = f"SELECT count(*) FROM (SELECT ? AS user_name) AS t WHERE {condition}"  # noqa: S608
    for value, expected in (
        (f"x{before}!!{after}y", 1),
        (f"x{before}{after}y", 1),
        (f"z{before}{after}y", 0),
    ):
        assert database.execute(statement, [value]).fetchall() == [(expected,)]


def test_sources_and_lanes_that_must_match_are_told():
    found = compile_filter('source:A AND (lane:"x.y") user:bob', CATALOGUE)
    assert (found.sources, found.lanes) == ({"a"}, {"x.y"})
    assert compile_filter("source:a OR user:bob", CATALOGUE).sources is None
    assert compile_filter("NOT source:a", CATALOGUE).sources is None
    assert compile_filter("source:a*", CATALOGUE).sources is None
    assert compile_filter("+source:a +source:b", CATALOGUE).sources == set()
    either = compile_filter('source:(A OR "b") AND (lane:x OR lane:y)', CATALOGUE)
    assert (either.sources, either.lanes) == ({"a", "b"}, {"x", "y"})
    assert compile_filter("source:(a OR b*)", CATALOGUE).sources is None
    assert compile_filter('source:"syslog/Web01"', CATALOGUE).sources == {"syslog/web01"}
    assert compile_filter('source:"10.0.0.0/8"', CATALOGUE).sources is None


def test_values_of_one_field_are_looked_for_at_once():
    condition = compile_filter("user:(alice OR bob OR c* OR carl)", CATALOGUE).condition
    (listed,) = condition.find_all(exp.In)
    assert len(listed.expressions) == 3


def test_a_value_among_many_that_is_none_is_told_with_its_place():
    with pytest.raises(QueryError) as told:
        compile_filter("dst_port:(22 OR 23 OR x)", CATALOGUE)
    assert told.value.at == len("dst_port:(22 OR 23 OR ")
    with pytest.raises(QueryError, match="is no network") as told:
        compile_filter("src_ip:(10.1.2.3 OR 10.1.2.4 OR 10.0.0.0\\/99)", CATALOGUE)
    assert told.value.at == len("src_ip:(10.1.2.3 OR 10.1.2.4 OR ")


def test_the_condition_of_nothing_is_everything():
    for text in ("", "  ", "*", "*:*"):
        assert compile_filter(text, CATALOGUE).is_everything
    assert not compile_filter("user:*", CATALOGUE).is_everything


@pytest.mark.parametrize(
    ("text", "wider"),
    [
        ("", ""),
        ("*", "*"),
        ("user:(a OR b)", "user:(a OR b)"),
        ("évil AND source:x", "(évil OR native:évil) AND source:x"),
        ('a* "b c" -d', '(a* OR native:a*) ("b c" OR native:"b c") -(d OR native:d)'),
    ],
)
def test_words_without_a_field_are_looked_for_in_native_fields_too(text: str, wider: str) -> None:
    assert beside_native(text) == wider
    check_filter(wider)
