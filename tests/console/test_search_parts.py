"""The parts of the Search page, asked one by one: what the browser only exchanges."""

from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from tests.console.conftest import Visitors
from tocsin.app.searches.saved_searches import SavedSearch
from tocsin.console.display import share
from tocsin.console.search_state import SearchState, field_name, kept_search
from tocsin.console.value_pivots import entity_of, pivots

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_word_that_only_the_source_s_fields_have_is_found_there(
    living_visitors: Visitors,
) -> None:
    told = living_visitors("hans.only").get("/search/why?q=B-4000&from=all").text
    assert "native:B-4000" in told
    assert "Search in all fields of the source" in told
    assert "q=native%3AB-4000" in told


def test_words_that_are_found_are_offered_to_be_looked_for_in_native_fields(
    living_visitors: Visitors,
) -> None:
    hunter = living_visitors("hans.only")
    assert "q=%28root+OR+native%3Aroot%29" in hunter.get("/search?q=root&from=all").text
    assert "beside-native" not in hunter.get("/search?q=source:okta&from=all").text


def test_a_filter_is_checked_without_being_asked(living_visitors: Visitors) -> None:
    hunter = living_visitors("hans.only")
    told = hunter.get("/search/check?q=user:a+AND+pid:[1+TO+x]&from=nonsense").text
    assert '<span class="ghost">user:a AND pid:[1 TO </span><span class="wave">^</span>' in told
    assert "unfinished" not in told
    assert "unfinished" in hunter.get("/search/check?q=user:a+AND+(").text
    assert not hunter.get("/search/check?q=user:a").text.strip()


def test_the_tail_gives_what_came_after_a_mark(living_visitors: Visitors) -> None:
    hunter = living_visitors("hans.only")
    told = hunter.get("/search/tail?from=all&after=2020-01-01T00:00:00Z").text
    assert told.count("<tr data-row") == 100
    assert 'data-skipped="0"' not in told
    later = hunter.get("/search/tail?from=all&after=2099-01-01T00:00:00Z").text
    assert 'data-mark="2099-01-01T00:00:00Z"' in later
    assert "<tr data-row" not in later
    assert hunter.get("/search/tail?q=a+AND+(").status_code == 404


def test_what_can_t_be_read_is_told(living_visitors: Visitors) -> None:
    hunter = living_visitors("hans.only")
    assert "there is no time zone" in unescape(hunter.get("/search?tz=Mars/Olympus").text)
    assert "can't be shown now" in unescape(hunter.get("/search/statistics?field=usr").text)
    gone = hunter.get("/search?record=none&view=around").text
    assert "There is no event none" in gone


def test_times_without_an_offset_are_those_of_the_zone() -> None:
    state = SearchState(start="2026-01-15T08:00", to="2026-07-15T08:00", zone="Europe/Oslo")
    assert state.range(NOW) == (
        datetime(2026, 1, 15, 7, tzinfo=UTC),
        datetime(2026, 7, 15, 6, tzinfo=UTC),
    )
    with pytest.raises(ValueError, match="no time zone"):
        SearchState(zone="../etc/passwd").range(NOW)


def test_a_shared_address_does_not_move_on_and_a_range_is_walked() -> None:
    state = SearchState("a", start="now-1h", live="1", sort="oldest")
    assert state.fixed(NOW) == (
        "/search?q=a&from=2026-03-01T11%3A00%3A00.000Z&to=2026-03-01T12%3A00%3A00.000Z&sort=oldest"
    )
    assert "from=2026-03-01T10%3A00" in state.shifted(NOW, -1)
    assert "from=2026-03-01T10%3A30" in state.shifted(NOW, 0, 2)
    assert state.moved_around(NOW, 5)["to"] == "2026-03-01T12:05:00.000Z"
    beyond = SearchState(start="0001-01-02", to="9999-12-30")
    assert beyond.shifted(NOW, -1) == beyond.address()


def test_columns_are_added_moved_and_taken_away() -> None:
    state = SearchState()
    assert "cols=source%2Chost%2Cuser%2Cnative.a%2Cevent" in state.with_column("native.a")
    assert "cols=source%2Chost%2Cevent" in state.with_column("user")
    assert "cols=host%2Csource" in state.with_column_moved("host", -1)
    assert SearchState(columns=" a ,,b,a").shown_columns() == ("a", "b")
    assert SearchState(columns="only").with_column("only") == "/search?cols=event"


def test_a_kept_search_comes_back_as_it_was_shown() -> None:
    one = SavedSearch("s", "ann", "n", "q", "all", "", False, NOW, "cols=a%2Cb&sort=oldest&tz=UTC")
    assert kept_search(one) == "/search?q=q&from=all&cols=a%2Cb&sort=oldest&tz=UTC"


@pytest.mark.parametrize(
    ("field", "value", "key"),
    [
        ("native.Computer", "PC-7", "host:pc-7"),
        ("actor.user.name", "Ann", "user:ann"),
        ("native.whatever", "10.0.0.1", "address:10.0.0.1"),
        ("message", "hello", None),
        ("user.name", " ", None),
    ],
)
def test_a_value_names_an_entity(field: str, value: str, key: str | None) -> None:
    found = entity_of(field, value)
    assert (found.key if found else None) == key


def test_pivots_escape_what_lucene_reads_as_its_own() -> None:
    assert field_name("native.a b:c") == "native.a\\ b\\:c"
    paths = {
        pivot.title: pivot.path for pivot in pivots(SearchState("x OR y"), "native.a b", "v w")
    }
    assert "%28x+OR+y%29+AND+native.a%5C+b%3A%22v+w%22" in paths["Only this value"]
    assert "NOT+native.a%5C+b" in paths["Without this value"]


@pytest.mark.parametrize(
    ("part", "text"),
    [(0, "0 %"), (0.0001, "<0.1 %"), (0.0123, "1.2 %"), (0.5, "50 %"), (1, "100 %")],
)
def test_a_share_that_is_there_is_never_nothing(part: float, text: str) -> None:
    assert share(part) == text


def test_neighbours_reach_before_and_after() -> None:
    reach = SearchState().moved_around(NOW, 1)
    assert datetime.fromisoformat(reach["to"]) - datetime.fromisoformat(
        reach["start"]
    ) == timedelta(minutes=2)
