"""Text tests give each row to the first shape whose tests all hold, however they are run."""

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.normalize import settling
from tocsin.normalize.settling import Candidates, TextTest, settle

EXPRESSIONS = ("^a", "b$", "^ab?c", "c+", "^$", "[^a]b", "x|y", ".{2,3}z")
TESTS = st.tuples(st.sampled_from([("message",), ("other", "else")]), st.sampled_from(EXPRESSIONS))
SHAPES = st.lists(st.lists(TESTS, max_size=2), max_size=8)
TEXTS = st.one_of(st.none(), st.text("abcxyz é", max_size=5))
ROWS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8)
Row = tuple[str | None, str | None]


def holds(test: TextTest, row: Row) -> bool:
    text = row[0] if test[0] == ("message",) else row[1]
    return text is not None and re.search(test[1].replace("$", r"\Z"), text) is not None


@pytest.mark.parametrize("many", [1, 1_000], ids=["by a sample", "each row"])
@pytest.mark.parametrize("worth", [1, 1_000], ids=["as a set", "one by one"])
@given(SHAPES, ROWS)
def test_the_first_shape_that_holds_wins(
    worth: int, many: int, shapes: list[list[TextTest]], rows: list[Row]
) -> None:
    candidates = Candidates(tuple((number, tuple(tests)) for number, tests in enumerate(shapes)))
    columns = {
        ("message",): pa.array([row[0] for row in rows], pa.string()),
        ("other", "else"): pa.array([row[1] for row in rows], pa.string()),
    }
    numbers = [10 + at for at in range(len(rows))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settling, "_WORTH_A_SET", worth)
        patch.setattr(settling, "_MANY", many)
        patch.setattr(settling, "_SAMPLED", 1)
        found = settle(
            candidates,
            numbers,
            lambda asked, paths: columns[tuple(paths)].take(pa.array([at - 10 for at in asked])),
        )
    expected = [
        next((n for n, tests in enumerate(shapes) if all(holds(t, row) for t in tests)), None)
        for row in rows
    ]
    told = {row: shape for shape, claimed in found for row in claimed}
    assert told == dict(zip(numbers, expected, strict=True))
