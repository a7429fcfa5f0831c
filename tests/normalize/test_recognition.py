"""The first shape whose conditions all hold has the record, and few decisions are made for many."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.normalize import recognition
from tocsin.normalize.mapping import Condition
from tocsin.normalize.recognition import Recognizer, claim_of

FIELDS = st.sampled_from(["a", "b", "o.c", "o.d"])
VALUES = st.sampled_from(["x", "X", "xy", "z", 1, True, {"deep": 1}, ["x"], ["y", "x"], [{}]])
CONDITIONS = st.sampled_from(
    [
        Condition(present=True),
        Condition(present=False),
        Condition(is_in=["x", 1, True]),
        Condition(prefix=["X"]),
        Condition(present=True, prefix=["z"]),
    ]
)
SHAPES = st.lists(st.dictionaries(FIELDS, CONDITIONS, min_size=1, max_size=3), max_size=5)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "a": VALUES,
            "b": VALUES,
            "o": st.fixed_dictionaries({}, optional={"c": VALUES, "d": VALUES}),
        },
    ),
    max_size=6,
)


def value_at(record: dict[str, Any], name: str) -> Any:
    for part in name.split("."):
        record = record.get(part) if isinstance(record, dict) else None  # type: ignore[assignment]
    return record


def holds(condition: Condition, value: Any) -> bool:
    if isinstance(value, list):
        value = value[0] if value else None
    if value is None:
        return condition.present is False
    if condition.present is False:
        return False
    text = "{}" if isinstance(value, dict) else str(value).lower()
    if condition.is_in is not None and text not in {str(one).lower() for one in condition.is_in}:
        return False
    return condition.prefix is None or text.startswith(tuple(p.lower() for p in condition.prefix))


@given(SHAPES, RECORDS)
def test_the_first_shape_that_holds_wins(
    shapes: list[dict[str, Condition]], records: list[dict[str, Any]]
) -> None:
    claims = [claim_of(number, [one], [], {}, ()) for number, one in enumerate(shapes)]
    told = {row: shape for shape, rows in Recognizer(claims).group(records) for row in rows}
    for row, record in enumerate(records):
        fitting = (
            number
            for number, one in enumerate(shapes)
            if all(holds(test, value_at(record, name)) for name, test in one.items())
        )
        assert told[row] == next(fitting, None)


@pytest.mark.parametrize("field", ["a", "o.c"])
def test_values_that_only_have_to_be_there_are_decided_together(
    monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    """A field like a time differs in each record; a decision for each took longer than all else."""
    made: list[object] = []
    decide = recognition.Recognizer._decide

    def counted(self: Recognizer, plan: Any, key: object) -> Any:
        made.append(key)
        return decide(self, plan, key)

    monkeypatch.setattr(recognition.Recognizer, "_decide", counted)
    wanted = {field: Condition(present=True), "o.d": Condition(is_in=["x"])}
    records = [{"a": at, "o": {"c": f"{at}", "d": "x" if at % 2 else "y"}} for at in range(1_000)]
    ((first, ones), (other, rest)) = Recognizer([claim_of(7, [wanted], [], {}, ())]).group(records)
    assert {first: len(ones), other: len(rest)} == {7: 500, None: 500}
    assert len(made) == 2
