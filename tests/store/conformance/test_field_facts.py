"""Every engine tells the same of a field among the events found."""

from datetime import timedelta

import pytest

from tocsin.store.ports import QueryError
from tocsin.store.query import EventQuery, FieldStatistics

USERS = ["bob", "eve", "bob", None, "Bob"]


@pytest.fixture
def told(events, store, make_batch):
    store(
        make_batch(
            [
                {
                    "ocsf": {"user.name": user, "dst_endpoint.port": 440 + at, "is_remote": True},
                    "native": {"size": str(at * 10), "tags": ["all", f"t{at % 2}"]},
                }
                for at, user in enumerate(USERS)
            ]
        )
    )
    return events


def test_text_is_told_by_letters_with_its_times(told, noon):
    found = told.statistics(EventQuery(), "user")
    assert found == FieldStatistics(
        field="user",
        events=5,
        present=4,
        distinct=3,
        least="Bob",
        greatest="eve",
        first_seen=noon,
        last_seen=noon + timedelta(seconds=4),
    )
    narrowed = told.statistics(EventQuery("user:eve"), "user")
    assert (narrowed.events, narrowed.distinct) == (1, 1)
    assert narrowed.first_seen == narrowed.last_seen == noon + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("field", "least", "median", "most"),
    [("dst_port", 440, 442, 444), ("native.size", 0, 20, 40)],
)
def test_numbers_are_told_by_their_shares_also_when_they_are_text(told, field, least, median, most):
    found = told.statistics(EventQuery(), field)
    assert (found.quantiles[0], found.quantiles[2], found.quantiles[-1]) == (least, median, most)
    assert (found.least, found.greatest) == ("", "")


def test_members_of_lists_are_told_apart_and_nothing_is_nothing(told):
    found = told.statistics(EventQuery(), "native.tags")
    assert (found.present, found.distinct, found.least, found.greatest) == (5, 3, "all", "t1")
    absent = told.statistics(EventQuery("user:nobody"), "user")
    assert (absent.events, absent.present, absent.first_seen) == (0, 0, None)
    assert told.statistics(EventQuery(), "process.name").present == 0
    with pytest.raises(QueryError, match="unknown field"):
        told.statistics(EventQuery(), "usr")


def test_the_names_a_filter_may_use_are_those_of_the_lanes_at_hand(told):
    lane = told.search(EventQuery()).events[0].lane
    assert "native.size" in told.field_names({lane})
    assert "native.size" not in told.field_names({"another.lane"})
    assert "user" in told.field_names(set())
    assert "native.size" in told.field_names()
