"""Other rules come in force between two batches: nothing is missed, nothing untouched is compiled anew."""

from pathlib import Path
from threading import Event, Thread

import pytest

from tests.detect.rule_texts import rule_text
from tocsin.detect.authoring.sample_batch import batch_of, lane_for
from tocsin.detect.matching import lane_plan, watch
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.rule_reading import read_rules
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.model.event import EventBatch

LANE = lane_for("windows", "process_creation", None)


def rule(number: int, detection: str) -> SigmaMatchRule:
    (found,) = read_rules(rule_text(detection, rule_id=rule_id(number)), "rule.yml")
    assert isinstance(found, SigmaMatchRule)
    return found


def rule_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def rules_with(needle: str) -> RuleSet:
    return RuleSet(
        (
            rule(1, "  s: {Image|endswith: '\\cmd.exe'}\n  condition: s"),
            rule(2, f"  s: {{CommandLine|contains: '{needle}'}}\n  condition: s"),
            rule(3, "  s: {CommandLine|contains: 'whoami'}\n  condition: s"),
        )
    )


def batch(size: int = 600) -> EventBatch:
    rows = [
        {"Image": f"C:\\{n % 7}\\cmd.exe" if n % 3 else "C:\\a.exe", "CommandLine": f"whoami {n}"}
        for n in range(size)
    ]
    return batch_of(LANE, rows)


def verdicts(engine: Engine, events: EventBatch) -> dict[str, tuple[int, ...]]:
    return {hit.rule.id: hit.rows for hit in engine.evaluate(events)}


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was looked for in each scanner made."""
    made: list[object] = []
    really = watch.LiteralScan

    def counted(wanted: object, store: object = None) -> object:
        made.append(wanted)
        return really(wanted, store)  # type: ignore[arg-type]

    monkeypatch.setattr(watch, "LiteralScan", counted)
    return made


@pytest.mark.parametrize("size", [4, 600])
def test_only_the_fields_an_edit_touches_are_made_anew(built: list[object], size: int) -> None:
    engine = Engine(rules_with("abc"))
    events = batch(size)
    verdicts(engine, events)
    assert verdicts(engine, events)  # learned by now
    built.clear()
    engine.replace(rules_with("abc"))
    assert verdicts(engine, events) == verdicts(Engine(rules_with("abc")), events)
    built.clear()
    engine.replace(rules_with("whoami 2"))
    found = verdicts(engine, events)
    assert len(built) == 1
    assert found == verdicts(Engine(rules_with("whoami 2")), events)


def test_an_unchanged_rule_set_makes_nothing_anew(built: list[object]) -> None:
    engine = Engine(rules_with("abc"))
    verdicts(engine, batch())
    verdicts(engine, batch())
    built.clear()
    engine.replace(rules_with("abc"))
    verdicts(engine, batch())
    assert built == []


def test_rules_that_come_go_and_change_places_keep_the_order_of_the_set() -> None:
    engine = Engine(rules_with("whoami 1"))
    verdicts(engine, batch())
    first, second, third = rules_with("whoami 1").rules
    fourth = rule(4, "  s: {CommandLine|endswith: '0'}\n  condition: s")
    for rules in [(third, fourth, second), (fourth,), (), (fourth, first, second, third)]:
        engine.replace(RuleSet(rules))
        assert [hit.rule.id for hit in engine.evaluate(batch())] == [one.rule.id for one in rules]


def test_hits_tell_the_rule_as_it_reads_now() -> None:
    engine = Engine(rules_with("abc"))
    events = batch()
    before = engine.evaluate(events)[0].rule
    engine.replace(rules_with("abc"))
    after = engine.evaluate(events)[0].rule
    assert after == before
    assert after is engine.ruleset.rules[0].rule


def test_a_batch_in_work_keeps_its_rules_and_the_next_has_the_new_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine(rules_with("abc"))
    events = batch()
    in_work, swapped = Event(), Event()
    really = lane_plan.holds

    def waiting(*given: object) -> object:
        in_work.set()
        assert swapped.wait(10)
        return really(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(lane_plan, "holds", waiting)
    found: list[dict[str, tuple[int, ...]]] = []
    worker = Thread(target=lambda: found.append(verdicts(engine, events)))
    worker.start()
    assert in_work.wait(10)
    engine.replace(rules_with("whoami 2"))
    swapped.set()
    worker.join(10)
    assert found == [verdicts(Engine(rules_with("abc")), events)]
    assert verdicts(engine, events) == verdicts(Engine(rules_with("whoami 2")), events)


def test_no_event_is_missed_while_rules_are_replaced_again_and_again() -> None:
    """Rule 3 stands in every set: each batch of a stream must hit it, whatever is swapped."""
    engine = Engine(rules_with("abc"))
    done = Event()

    def swap() -> None:
        number = 0
        while not done.is_set():
            number += 1
            engine.replace(rules_with(f"whoami {number % 5}"))

    swapper = Thread(target=swap)
    swapper.start()
    try:
        events = batch(40)
        everything = tuple(range(40))
        for _ in range(60):
            assert verdicts(engine, events)[rule_id(3)] == everything
    finally:
        done.set()
        swapper.join(10)


def test_what_one_run_learned_the_next_begins_with(tmp_path: Path, built: list[object]) -> None:
    events = batch()
    expected = verdicts(Engine(rules_with("whoami 2"), tmp_path), events)
    built.clear()
    again = Engine(rules_with("whoami 2"), tmp_path)
    assert verdicts(again, events) == expected
    assert len(built) == 2  # a field each, from the first batch on as learned before
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-3])
    assert verdicts(Engine(rules_with("whoami 2"), tmp_path), events) == expected
