"""Names are found by their hash however often they were added, swept and saved."""

from datetime import timedelta
from random import Random

import numpy as np
import pytest

from tests.detect.correlate.playing import Stream, correlation, event
from tocsin.detect.correlate import memory
from tocsin.detect.correlate.limits import Limits
from tocsin.detect.correlate.names import Names


def test_names_are_found_in_few_pieces_until_they_are_swept() -> None:
    random = Random(2)  # noqa: S311 - repeatable, not secret
    expected: dict[int, str] = {}
    names = Names()
    for _ in range(60):
        fresh = {random.getrandbits(64): f"t\0{random.random()}" for _ in range(7)}
        expected |= fresh
        names = names.added(fresh)
    assert len(names) == len(expected)
    assert len(names.pieces) < 8
    assert all(names.get(key) == text for key, text in expected.items())
    assert names.get(5) is None
    some = np.array([*list(expected)[:30], 5], np.uint64)
    assert names.unknown(some).tolist() == [False] * 30 + [True]
    left = names.only(np.sort(some))
    assert len(left) == 30
    assert left.get(int(some[0])) == expected[int(some[0])]
    assert not len(left.only(np.zeros(0, np.uint64)).pieces)
    assert Names().only(np.sort(some)) == Names()


def test_names_of_forgotten_groups_are_dropped_and_those_in_use_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "_FEW", 4)
    rules = [
        correlation("event_count", ("gte", 2), by=("user",), rule_id="inner", generate=True),
        correlation("event_count", ("gte", 1), rules=["inner"], by=("target",), rule_id="outer",
                    generate=True),
    ]  # fmt: skip
    stream = Stream(rules, Limits(lateness=timedelta(hours=1)))
    for number in range(60):
        at = number * 600
        stream.turn([event(number, at, "logon", user=f"u{number}", target=["a", f"t{number}"])])
    stream.restart()
    stream.turn([event(99, 59 * 600 + 1, "logon", user="u59", target=["a", "t59"])])
    stream.turn(final=True)
    told = sorted(one.group[0][1] for one in stream.standing.values() if one.rule.id == "outer")
    assert told == ["a", "t59"]
    held = sum(len(content) for (_, key), content in stream.saved.items() if key.startswith("n"))
    assert held < 5000
