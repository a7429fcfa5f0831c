"""Stages name rules that are shipped, and are seen only by the right alert."""

import pytest

from tocsin.exercise.company import ExerciseError
from tocsin.exercise.stages import STAGES, Stage, stages_seen


def test_every_stage_names_shipped_rules_and_someone_it_is_about() -> None:
    for stage in STAGES:
        assert len(stage.rule_ids) == len(stage.rules)
        assert stage.entities
    assert sum(not stage.is_attack for stage in STAGES) == 3


def test_a_stage_is_seen_by_its_rule_about_its_entity_only() -> None:
    full = next(stage for stage in STAGES if stage.name == "full disk")
    rule = full.rule_ids[0]
    assert stages_seen([(rule, "host:nh-db01")]) == [full]
    assert stages_seen([(rule, "host:nh-ws01")]) == []
    assert stages_seen([("another rule", "host:nh-db01")]) == []


def test_a_silent_source_is_seen_by_any_alert_about_it() -> None:
    seen = stages_seen([("whatever rule", "source:syslog/nh-mail01")])
    assert [stage.name for stage in seen] == ["silent source"]


def test_a_stage_with_a_rule_nobody_ships_is_told_with_its_path() -> None:
    stage = Stage("x", "y", ("linux/no_such_rule",), ("host:a",))
    with pytest.raises(ExerciseError, match=r"linux/no_such_rule\.yml"):
        _ = stage.rule_ids
