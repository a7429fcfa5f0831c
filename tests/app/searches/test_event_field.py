"""A name as filters take it finds the same value in a stored event and in its JSON."""

from datetime import UTC, datetime

import pytest

from tocsin.app.plain import as_json
from tocsin.app.searches.event_field import field_of
from tocsin.store.query import StoredEvent

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENT = StoredEvent(
    event_id="e1",
    time=MOMENT,
    ingested_at=MOMENT,
    tenant="default",
    source="zeek",
    lane="zeek.dns",
    ocsf={"user.name": "ann", "query": {"class": "IN"}},
    native={
        "id.orig_h": "10.0.0.1",
        "a.b": {"c": 1},
        "answers": [{"name": "x"}, {"ttl": 5}, {"name": "y"}],
        "tags": ["t1"],
    },
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source", "zeek"),
        ("user", "ann"),
        ("user.name", "ann"),
        ("query.class", "IN"),
        ("native.id.orig_h", "10.0.0.1"),
        ("native.a.b.c", 1),
        ("native.answers.name", ["x", "y"]),
        ("native.tags", ["t1"]),
        ("native.answers.type", None),
        ("native.nothing", None),
        ("host", None),
    ],
)
def test_a_name_finds_its_value(name: str, value: object) -> None:
    assert field_of(EVENT, name) == value
    assert field_of(as_json(EVENT), name) == value
