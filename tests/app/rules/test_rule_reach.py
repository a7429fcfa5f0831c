"""What comes in wakes the rules that were waiting for it, within the turn that stores it."""

import json
from datetime import UTC, datetime

import pytest

from tests.app.flow.test_flow import ENCODED
from tocsin.app.wiring import Tocsin
from tocsin.detect.explaining.reach import Obstacle
from tocsin.ingest.cutting.lines import split_lines

NOW = datetime.now(UTC)


def _append(house: Tocsin, record: dict[str, object], source: str = "ws-07") -> None:
    house.spool.append(split_lines(json.dumps(record).encode(), source=source, received_at=NOW))


def test_a_house_without_events_says_so_of_every_rule(house: Tocsin) -> None:
    verdicts = house.reach.verdicts()
    ids = {one.rule.id for one in (*house.ruleset.rules, *house.ruleset.stateful)}
    assert set(verdicts) == ids
    assert not any(one.can_match for one in verdicts.values())
    assert {one.obstacle for one in verdicts.values()} <= {Obstacle.NO_SOURCE, Obstacle.BASE}


def test_an_event_wakes_the_rules_of_its_lane_and_names_its_source(house: Tocsin) -> None:
    before = house.reach.verdicts()
    assert house.reach.verdicts() is before
    _append(house, ENCODED)
    house.flow.drain()
    able = {rule_id for rule_id, one in house.reach.verdicts().items() if one.can_match}
    assert able
    assert {house.reach.verdicts()[rule_id].sources for rule_id in able} == {("ws-07",)}
    _append(house, {**ENCODED, "Hashes": "SHA256=1", "Company": "x"}, "ws-08")
    house.flow.drain()
    with house.state.read() as tx:
        fields = house.reach.fields(tx)
    (of_lane,) = (by_source for by_source in fields.values() if "ws-07" in by_source)
    assert of_lane["ws-08"] - of_lane["ws-07"] == {"Hashes", "Company"}


def test_fields_of_a_turn_that_fails_are_noted_when_it_is_done_again(
    house: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(house.spool, "commit", dies)
        _append(house, ENCODED)
        with pytest.raises(RuntimeError, match="power cut"):
            house.flow.turn()
    with house.state.read() as tx:
        assert not house.reach.fields(tx)
    house.flow.drain()
    with house.state.read() as tx:
        assert any("ws-07" in by_source for by_source in house.reach.fields(tx).values())
