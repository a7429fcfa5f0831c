"""Searches are kept by name and person; what can't be asked is not kept."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.app.access.audit import AuditLog
from tocsin.app.searches import saved_searches
from tocsin.app.searches.saved_searches import SavedSearch, SavedSearchError, SavedSearches
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.ports import QueryError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    opened = SqliteState(tmp_path / "state.db")
    yield opened
    opened.close()


@pytest.fixture
def searches(state: SqliteState) -> SavedSearches:
    return SavedSearches(state, AuditLog())


def keep(searches: SavedSearches, name: str, query: str = "", **more: object) -> SavedSearch:
    told = {"start": "now-4h", "until": "", "by": "ada", "now": NOW, **more}
    return searches.keep(name, query, **told)  # type: ignore[arg-type]


def test_people_see_their_own_and_the_shared_ones(searches: SavedSearches) -> None:
    keep(searches, "Zeek", "source:zeek")
    keep(searches, "okta", "source:okta", by="otto", is_shared=True)
    keep(searches, "Otto's", by="otto")
    keep(searches, "Okta", "source:okta AND user.name:root")
    assert [(one.name, one.owner) for one in searches.seen_by("ada")] == [
        ("Okta", "ada"),
        ("okta", "otto"),
        ("Zeek", "ada"),
    ]
    assert [one.name for one in searches.seen_by("eve")] == ["okta"]


def test_one_s_own_of_the_same_name_is_replaced(searches: SavedSearches) -> None:
    first = keep(searches, "  Failed   sign-ins ", "status_id:2")
    second = keep(searches, "failed sign-ins", "status_id:2 AND source:okta", start="all")
    assert (first.name, second.name) == ("Failed sign-ins", "failed sign-ins")
    assert second.id == first.id
    (only,) = searches.seen_by("ada")
    assert (only.query, only.start) == ("status_id:2 AND source:okta", "all")


def test_letter_case_is_set_aside_beyond_ascii_too(searches: SavedSearches) -> None:
    first = keep(searches, "Übung")
    assert keep(searches, "Übung", "source:zeek").id == first.id
    assert keep(searches, "ÜBUNG", "source:okta").id == first.id
    (only,) = searches.seen_by("ada")
    assert only.query == "source:okta"


def test_a_private_search_is_not_told_of_to_others(searches: SavedSearches) -> None:
    kept = keep(searches, "Who leaked it")
    with pytest.raises(SavedSearchError, match="there is no saved search") as refused:
        searches.remove(kept.id, by="otto", now=NOW)
    assert "leaked" not in str(refused.value)
    assert "ada" not in str(refused.value)


def test_only_its_owner_forgets_a_search(state: SqliteState, searches: SavedSearches) -> None:
    kept = keep(searches, "Ours", is_shared=True)
    with pytest.raises(SavedSearchError, match="is ada's"):
        searches.remove(kept.id, by="otto", now=NOW)
    searches.remove(kept.id, by="ada", now=NOW + timedelta(seconds=1))
    with pytest.raises(SavedSearchError, match="there is no saved search"):
        searches.remove(kept.id, by="ada", now=NOW)
    with state.read() as tx:
        told = [entry.action for entry in AuditLog().page(tx).items]
    assert told == ["searches.remove", "searches.keep"]


@pytest.mark.parametrize(
    ("name", "query", "start", "words"),
    [
        (" ", "", "", "1 to 120 characters"),
        ("x" * 121, "", "", "1 to 120 characters"),
        ("a\u202eb", "", "", "characters one can see"),
        ("ok", "", "yesterday", "from: 'yesterday' is not a time"),
        ("ok", "", "x" * 41, "at most 40"),
    ],
)
def test_what_makes_no_sense_is_refused(
    searches: SavedSearches, name: str, query: str, start: str, words: str
) -> None:
    with pytest.raises(SavedSearchError, match=words):
        keep(searches, name, query, start=start)
    assert searches.seen_by("ada") == []


def test_a_query_with_a_fault_is_refused_with_its_place(searches: SavedSearches) -> None:
    with pytest.raises(QueryError) as refused:
        keep(searches, "broken", "source:zeek AND (")
    assert refused.value.at is not None


def test_nobody_keeps_without_end(searches: SavedSearches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_searches, "MOST_KEPT", 2)
    keep(searches, "one")
    keep(searches, "two")
    with pytest.raises(SavedSearchError, match="remove one first"):
        keep(searches, "three")
    keep(searches, "one", "source:zeek")
    keep(searches, "three", by="otto")


def test_how_a_search_is_shown_is_kept_and_nothing_else(searches: SavedSearches) -> None:
    shown = "cols=user%2Cnative.a+b&sort=oldest&tz=Asia%2FTokyo&q=evil&record=x"
    kept = keep(searches, "Columns", shown=shown)
    assert kept.shown == "cols=user%2Cnative.a+b&sort=oldest&tz=Asia%2FTokyo"
    assert keep(searches, "columns").shown == ""
    with pytest.raises(SavedSearchError, match="at most 8,000"):
        keep(searches, "Long", shown="cols=" + "x" * 8000)
