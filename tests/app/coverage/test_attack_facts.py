"""Techniques have the names people know them by, and the tactics they serve."""

from tocsin.app.coverage.attack_facts import (
    OTHER,
    tactics_by_technique,
    tactics_for,
    technique_name,
)


def test_a_technique_is_called_by_its_name() -> None:
    assert technique_name("T1003.003") == "NTDS"
    assert technique_name("t1059") == "Command and Scripting Interpreter"


def test_one_that_is_not_known_has_no_name() -> None:
    assert technique_name("T9999") == ""


def test_all_that_shipped_rules_are_about_have_names() -> None:
    assert not {one for one in tactics_by_technique() if not technique_name(one)}


def test_tactics_are_the_technique_s_own_its_parent_s_or_the_tags() -> None:
    assert tactics_for("T1003.003") == ("credential-access",)
    assert tactics_for("T9999", ("attack.impact",)) == ("impact",)
    assert tactics_for("T9999") == (OTHER,)
