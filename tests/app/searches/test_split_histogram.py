"""A histogram is split by the values of a field, and what has none of them is counted too."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from tocsin.app.searches.split_histogram import split_histogram
from tocsin.store.query import Bucket, EventQuery, TopValue

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def _store(counts: dict[str, tuple[int, ...]], values: list[str], asked: list[EventQuery]) -> Any:
    """Answers by the text of the query; what it does not know can't match."""

    def histogram(query: EventQuery, buckets: int, stop: object) -> list[Bucket]:
        asked.append(query)
        found = counts.get(query.text, ())
        return [Bucket(START + at * HOUR, START + (at + 1) * HOUR, n) for at, n in enumerate(found)]

    def top_values(query: EventQuery, field: str, size: int, stop: object) -> list[TopValue]:
        return [TopValue(value, 1) for value in values[:size]]

    return SimpleNamespace(histogram=histogram, top_values=top_values)


def test_each_value_is_counted_over_the_same_spans() -> None:
    asked: list[EventQuery] = []
    counts: dict[str, tuple[int, ...]] = {
        "a OR b": (5, 3),
        "(a OR b) AND user:ann": (2, 1),
        '(a OR b) AND NOT user:ann AND NOT user:"b b"': (1, 2),
        "(a OR b) AND NOT _exists_:user": (0, 2),
    }
    store = _store(counts, ["ann", "b b", "ANN"], asked)
    found = split_histogram(store, EventQuery("a OR b"), "user", 2)
    assert found.values == ("ann", "b b"), "case plays no part"
    assert found.counts == ((2, 1), (0, 0))
    assert (found.others, found.without) == ((1, 0), (0, 2))
    assert [one.count for one in found.buckets] == [5, 3]
    assert {(one.start, one.end) for one in asked[1:]} == {(START, START + 2 * HOUR)}


def test_a_field_without_values_is_what_all_lack() -> None:
    counts: dict[str, tuple[int, ...]] = {"": (4,), "NOT _exists_:user": (4,)}
    found = split_histogram(_store(counts, [], []), EventQuery(), "user", 1)
    assert (found.values, found.others, found.without) == ((), (0,), (4,))


def test_nothing_found_is_nothing_split() -> None:
    assert split_histogram(_store({}, [], []), EventQuery(), "user", 1).buckets == ()
