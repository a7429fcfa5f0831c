"""A problem of a rule in force is told beside the rule; one of a lost document by itself."""

from dataclasses import replace
from datetime import UTC, datetime

from tests.app.flow.test_flow import ENCODED
from tocsin.app.explaining.given_event import given_of_record
from tocsin.app.explaining.rule_health import Slow, narrowed, rule_health
from tocsin.app.explaining.stored_explaining import explain_stored
from tocsin.app.wiring import Tocsin
from tocsin.detect.explaining.reach import Obstacle, Reach
from tocsin.detect.reading.exceptions import compile_exceptions
from tocsin.detect.rules.overlay import RuleException
from tocsin.model.lane import LogSource
from tocsin.model.rule import Rule, RuleProblem
from tocsin.model.severity import Level


def test_rules_that_can_not_match_come_first_and_problems_where_they_belong() -> None:
    able, unable = (Rule(name, name.title(), Level.LOW, LogSource()) for name in ("able", "unable"))
    problems = [
        RuleProblem("overlay of able", "exception x fails", 0, "able"),
        RuleProblem("lost.yml", "no such field", 3, "lost", "Lost"),
    ]
    verdicts = {"unable": Reach("unable", Obstacle.NO_SOURCE, "nothing has come in")}
    health = rule_health([able, unable], problems, verdicts, Slow())
    assert [one["id"] for one in health["rules"]] == ["unable", "able"]
    assert health["rules"][1]["notes"] == ["exception x fails"]
    assert [one["path"] for one in health["refused"]] == ["lost.yml"]
    assert health["counts"] == {"no_source": 1, "can_match": 1, "refused": 1, "noted": 1}
    assert narrowed(health, "LOST")["counts"] == {"refused": 1, "noted": 0}
    assert narrowed(health, "able")["counts"] == {"can_match": 1, "refused": 0, "noted": 1}


def test_an_expression_that_takes_too_long_is_told_aloud() -> None:
    rules = [Rule(name, name, Level.LOW, LogSource()) for name in ("well", "slow", "paused")]
    slow = Slow({"slow": 3, "paused": 1200, "gone": 7}, frozenset({"paused"}))
    health = rule_health(rules, [], {}, slow)
    told = {one["id"]: (one["is_paused"], one["notes"]) for one in health["rules"]}
    assert told["well"] == (False, [])
    (note,) = told["paused"][1]
    assert note.startswith("paused: an expression takes too long")
    assert "1,200 values" in note
    assert told["slow"][0] is False
    assert "3 values" in told["slow"][1][0]
    assert health["counts"]["noted"] == 2


def test_an_exception_that_hides_a_match_is_named(house: Tocsin) -> None:
    given = given_of_record(ENCODED, house.normalizer)
    rule = next(
        one.rule
        for one in house.ruleset.rules
        if (found := explain_stored(house.ruleset, one.rule.id, given, house.events, {}))
        and found.matches
    )
    mute = RuleException(
        "e1", "ops", "our own tool", {"Computer": ("WS-07.corp.example",)}, created_at=None
    )
    ready, refused = compile_exceptions([mute], rule.logsource)
    assert not refused
    ruleset = replace(house.ruleset, exceptions={rule.id: ready})
    hidden = explain_stored(ruleset, rule.id, given, house.events, {})
    assert hidden is not None
    assert hidden.hidden_by == "exception e1 of ops hides it: our own tool"
    elsewhere = replace(given, native={**given.native, "Computer": "b"}, time=datetime.now(UTC))
    shown = explain_stored(ruleset, rule.id, elsewhere, house.events, {})
    assert shown is not None
    assert (shown.matches, shown.hidden_by) == (True, "")
