"""Merging changes where events are kept and nothing else."""

from tocsin.store.query import EventQuery

SHAPES = [
    {"n": 1, "text": "a"},
    {"n": "one", "list": [1, None], "Guid": "x"},
    {"GUID": "y", "empty": {}, "deep": {"a": {"b": [{"c": 1}, {"d": "d"}]}}},
    {"n": [1.5], "list": ["x", None], "guid": "z", "Guid": 5},
    {"n": {"k": True}, "GUID": {"in": {}}, "text": None},
    {},
    {"n": 2.5, "text": ["b"], "deep": {"a": [], "A": 1}},
]


def everything(events) -> list:
    return list(events.search(EventQuery(size=1000, oldest_first=True)).events)


def test_merged_events_are_the_same_events(events, store, make_batch):
    for position in range(9):
        rows = [
            {"native": shape, "ocsf": {"user.name": "bob", f"x.f{position}": position}}
            for shape in SHAPES
        ]
        rows = rows[position:] + rows[:position]
        store(
            *(
                make_batch([row], position=100 * position + n, lane=f"t.{n % 2}")
                for n, row in enumerate(rows)
            )
        )
    before = everything(events)
    assert events.merge_small() == 9
    after = everything(events)
    assert after == before
    assert events.search(EventQuery()).searched_segments == 1
    assert events.count() == 63
    assert events.search(EventQuery("native.n:one")).total == 9
    assert events.search(EventQuery("native.Guid:5")).total == 9
    assert events.search(EventQuery("x.f3:3")).total == 7
    assert events.get(before[0].event_id) == before[0]


def test_a_few_segments_are_left_alone(events, store, make_batch):
    store(make_batch([{}]))
    store(make_batch([{}], position=1))
    assert events.merge_small() == 0
    assert events.search(EventQuery()).searched_segments == 2


def test_merging_goes_on_with_what_was_merged(events, store, make_batch):
    for position in range(9):
        store(make_batch([{"native": {"n": position}}], position=position))
        events.merge_small()
    assert events.count() == 9
    assert sorted(event.native["n"] for event in everything(events)) == list(range(9))
    assert events.search(EventQuery()).searched_segments <= 3
