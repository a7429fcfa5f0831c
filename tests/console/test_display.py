"""How values are shown: nothing hides, nothing is lost, nothing is too long."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.app.searches.split_histogram import SplitHistogram
from tocsin.console import display
from tocsin.console.highlight import yaml_lines
from tocsin.console.histogram import draw, draw_split
from tocsin.console.preferences import Preferences
from tocsin.console.search_state import SearchState, fault_in
from tocsin.store.lucene import quoted
from tocsin.store.query import Bucket

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@given(st.text())
def test_shown_text_has_no_character_that_hides(text: str) -> None:
    shown = display.visible(text)
    assert all(character.isprintable() or character in "\n" for character in shown), repr(shown)


@given(st.text(min_size=200, max_size=400), st.integers(1, 100))
def test_long_text_is_cut(text: str, limit: int) -> None:
    assert display.visible(text, limit).endswith("…")


@given(st.text(max_size=200), st.lists(st.text(max_size=5), max_size=4))
def test_marking_changes_no_text(text: str, needles: list[str]) -> None:
    pieces = display.marked(text, needles)
    assert "".join(piece for piece, _ in pieces) == display.visible(text)


def test_what_was_recognized_is_marked_whatever_its_case() -> None:
    assert display.marked("run PowerShell now", ["powershell"]) == [
        ("run ", False),
        ("PowerShell", True),
        (" now", False),
    ]


def test_nested_fields_become_dotted_names() -> None:
    fields = {"a": {"b": 1, "c": [{"d": 2}, {"d": 3}]}, "e": ["x", "y"]}
    assert display.flatten(fields) == [
        ("a.b", 1),
        ("a.c.0.d", 2),
        ("a.c.1.d", 3),
        ("e", ["x", "y"]),
    ]


def test_the_distance_of_a_time_is_told_both_ways() -> None:
    assert display.ago(NOW - timedelta(minutes=4, seconds=9), NOW) == "4 min ago"
    assert display.ago(NOW + timedelta(hours=2, minutes=10), NOW) == "in 2 h 10 min"
    assert display.ago(None, NOW) == "never"


@pytest.mark.parametrize(
    ("number", "text"), [(7, "7"), (950, "950"), (1234, "1.2k"), (12_345, "12k"), (3.4e6, "3.4M")]
)
def test_a_small_place_takes_a_short_count(number: float, text: str) -> None:
    assert display.short_count(number) == text


@given(st.text(alphabet=st.characters(blacklist_characters="\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")))
def test_highlighting_changes_no_text(text: str) -> None:
    lines = yaml_lines(text)
    assert ["".join(piece for _, piece in line) for line in lines] == text.splitlines()


def test_a_rule_is_highlighted_by_what_its_parts_are() -> None:
    text = "# why\ntitle: 'A # in quotes'  # not here\nlevel: 7\ntext: |\n  key: is text\nnext: yes"
    lines = yaml_lines(text)
    assert lines[0] == [("comment", "# why")]
    assert ("string", " 'A # in quotes'  ") in lines[1]
    assert lines[1][-1] == ("comment", "# not here")
    assert ("number", " 7") in lines[2]
    assert lines[4] == [("string", "  key: is text")]
    assert lines[5][0] == ("key", "next")


def test_bars_stack_to_their_count() -> None:
    hour = timedelta(hours=1)
    buckets = [
        Bucket(NOW, NOW + hour, 10, {1: 4, 3: 2, 5: 1}),
        Bucket(NOW + hour, NOW + 2 * hour, 5, {6: 5}),
        Bucket(NOW + 2 * hour, NOW + 3 * hour, 0),
    ]
    chart = draw(buckets)
    assert chart.tallest == 10
    assert [sum(part.count for part in bar.parts) for bar in chart.bars] == [10, 5, 0]
    assert chart.bars[0].parts[0].count == 7
    assert round(chart.bars[0].parts[-1].top, 3) == 0.0
    assert round(sum(part.height for part in chart.bars[1].parts), 3) == 50.0
    assert {layer.kind: layer.total for layer in chart.layers} == {
        "critical": 6,
        "medium": 2,
        "informational": 7,
    }


def test_a_split_histogram_stands_on_its_most_frequent_value() -> None:
    buckets = (Bucket(NOW, NOW + timedelta(hours=1), 7),)
    found = SplitHistogram("severity_id", buckets, ("1", ""), ((4,), (2,)), (0,), (1,))
    chart = draw_split(found)
    assert [part.title for part in chart.bars[0].parts] == [
        *("Informational", "(empty)", "Without it")
    ]
    assert [layer.value for layer in chart.layers] == ["", "", "1"]
    assert round(sum(part.height for part in chart.bars[0].parts), 3) == 100.0


def test_no_bucket_draws_nothing() -> None:
    assert draw([]).bars == ()
    assert draw_split(SplitHistogram("user", (), (), (), (), ())).bars == ()


def test_an_address_holds_only_what_differs() -> None:
    assert SearchState().address() == "/search"
    state = SearchState("a b", start="now-1h", record="x")
    assert state.address(record="") == "/search?q=a+b&from=now-1h"


def test_a_term_is_added_to_what_was_asked() -> None:
    assert "q=user%3Aann" in SearchState().with_term("user", "ann")
    assert "q=a+AND+NOT+user%3Aann" in SearchState("a").with_term("user", "ann", without=True)
    wider = SearchState("a OR b").with_term("host", "x y")
    assert "q=%28a+OR+b%29+AND+host%3A%22x+y%22" in wider


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ann", "ann"),
        ("a b", '"a b"'),
        ('say "x"', '"say \\"x\\""'),
        ("C:\\x", '"C:\\\\x"'),
        ("OR", '"OR"'),
    ],
)
def test_a_value_is_taken_literally(value: str, text: str) -> None:
    assert quoted(value) == text


def test_a_fault_is_placed_under_its_word() -> None:
    fault = fault_in("user:x AND (bad more", "why", 11)
    assert (fault.before, fault.wrong, fault.after) == ("user:x AND ", "(bad", " more")
    assert fault_in("abc", "why", 99).before == "abc"
    assert fault_in("abc", "why", None).wrong == ""


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="exchange"):
        SearchState(start="now-1h", to="now-2h").range(NOW)


@given(st.text(max_size=40))
def test_any_cookie_gives_preferences(cookie: str) -> None:
    found = Preferences.from_cookie(cookie)
    assert Preferences.from_cookie(found.to_cookie()) == found
