"""A list of events shows what rows of whole events would, and reads less of them."""

from datetime import UTC, datetime

import pytest

from tests.console.known_sources import DOOR
from tests.console.living import Living
from tocsin.console.event_line import event_line
from tocsin.console.search_columns import listed, row
from tocsin.console.search_state import DEFAULT_COLUMNS, SearchState
from tocsin.store.stop_signal import StopSignal


def patience() -> StopSignal:
    """Counts from when it is made."""
    return StopSignal(60, "the test took too long")


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", DEFAULT_COLUMNS),
        ("source:windows", ("native.EventID", "event")),
        ("source:windows", ("native.EventID",)),
        (f'source:"{DOOR}"', DEFAULT_COLUMNS),
        (f'source:"{DOOR}"', ("lane", "user")),
    ],
)
def test_rows_of_a_list_are_those_of_whole_events(
    living: Living, text: str, columns: tuple[str, ...]
) -> None:
    query = SearchState(q=text, start="all").query(datetime.now(UTC))
    whole = living.house.events.search(query)
    brief = listed(living.house.events, query, columns, patience())
    assert whole.events
    assert [row(one, columns).cells for one in brief.events] == [
        row(one, columns).cells for one in whole.events
    ]
    assert (brief.total, brief.next_cursor) == (whole.total, whole.next_cursor)


def test_native_fields_are_read_only_where_nothing_else_tells_an_event(living: Living) -> None:
    events, now = living.house.events, datetime.now(UTC)
    told = listed(events, SearchState("source:windows").query(now), DEFAULT_COLUMNS, patience())
    assert told.events
    assert not any(one.native for one in told.events)
    silent = SearchState(f'source:"{DOOR}"', "all").query(now)
    untold = listed(events, silent, DEFAULT_COLUMNS, patience())
    assert untold.events
    assert all(one.native and event_line(one) for one in untold.events)
