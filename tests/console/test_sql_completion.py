"""What the SQL editor offers depends on where in the statement one is."""

import pytest

from tests.console.conftest import Visitors
from tocsin.console.sql_completion import SqlWord, filter_field, offers, word_at

SEEN = (
    "native.EventID",
    "native.id orig",
    "native.a.b-c",
    "unmapped.x",
    "user",
    "native",
    "source",
)


def offered(before: str, after: str = "") -> list[str]:
    """What is offered where two parts of a statement meet."""
    word = word_at(before + after, len(before))
    assert word is not None
    return [one.insert for one in offers(before + after, word, SEEN)]


@pytest.mark.parametrize(
    ("before", "word"),
    [
        ("SELECT user_na", SqlWord(7, "user_na")),
        ("SELECT native.Ev", SqlWord(7, "native.Ev")),
        ('SELECT native."a b', SqlWord(7, 'native."a b')),
        ("SELECT ", SqlWord(7, "")),
        ("WHERE source = 'ok", SqlWord(16, "ok", True, "source")),
        ("WHERE user_name NOT ILIKE '%o''b", SqlWord(27, "%o'b", True, "user.name")),
        ("WHERE native.a IN ('x', 'y", SqlWord(25, "y", True, "native.a")),
        ("SELECT 'a", SqlWord(8, "a", True, "")),
        ("SELECT 1 -- user's\n, us", SqlWord(21, "us")),
    ],
)
def test_the_word_before_the_cursor_is_found(before: str, word: SqlWord) -> None:
    assert word_at(before + " FROM events", len(before)) == word


@pytest.mark.parametrize("before", ["SELECT 1 -- us", "SELECT /* us"])
def test_nothing_is_offered_in_a_comment(before: str) -> None:
    assert word_at(before, len(before)) is None


def test_tables_stand_behind_from() -> None:
    assert offered("SELECT 1 FROM ") == ["events"]
    assert offered("WITH odd AS (SELECT 1 FROM events) SELECT * FROM o") == ["odd"]
    assert offered("SELECT 1 FROM events JOIN ") == ["events"]


def test_columns_come_before_functions_and_a_clear_keyword_before_both() -> None:
    names = offered("SELECT user_n", " FROM events")
    assert names[0] == "user_name"
    assert "actor_user_name" in names
    assert "count(" in offered("SELECT cou")
    assert offered("SEL")[0] == "SELECT "
    assert offered("SELECT 1 FROM events GRO")[0] == "GROUP BY "
    assert offered("SELECT 1 FROM events GROUP BY ALL") == [], "a word that is whole"
    assert offered("SELECT count(*) AS failures FROM events ORDER BY fai") == ["failures"]


def test_fields_of_the_source_are_quoted_where_they_must_be() -> None:
    assert offered("SELECT native.Ev") == ["native.EventID"]
    assert offered("SELECT native.id") == ['native."id orig"']
    assert offered("SELECT native.a.") == ['native.a."b-c"']
    assert offered("SELECT ocsf.unm") == ["ocsf.unmapped.x"]


def test_columns_are_known_by_the_names_of_the_filter() -> None:
    assert filter_field("src_endpoint_ip") == "src_endpoint.ip"
    assert filter_field('native."id orig"') == "native.id orig"
    assert filter_field("failures") == ""


def test_names_and_values_are_offered_over_http(living_visitors: Visitors) -> None:
    ada = living_visitors("ada.lind")

    def ask(sql: str) -> dict[str, object]:
        params = {"sql": sql, "at": str(len(sql)), "from": "now-7d"}
        return dict(ada.get("/search/sql/complete", params=params).json())

    told = ask("SELECT source FROM events WHERE source = 'okt")
    assert (told["start"], told["items"][0]["insert"]) == (42, "okta'")  # type: ignore[index]
    assert ask("SELECT severity")["items"][0]["insert"] == "severity_id"  # type: ignore[index]
    assert ask("SELECT 'x")["items"] == []
    assert ask("SELECT a -- b")["items"] == []


def test_a_mistake_is_told_before_the_statement_is_run(living_visitors: Visitors) -> None:
    ada = living_visitors("ada.lind")
    told = ada.get("/search/sql/check", params={"sql": "SELECT a\r\nFROM evnts LIMIT 1"}).text
    assert 'data-at="14" data-length="5"' in told
    assert "line 2, character 6" in told
    assert "unfinished" in ada.get("/search/sql/check", params={"sql": "SELECT a FROM"}).text
    assert "data-fault" not in ada.get("/search/sql/check", params={"sql": "SELECT 1"}).text
    assert "data-fault" not in ada.get("/search/sql/check").text
