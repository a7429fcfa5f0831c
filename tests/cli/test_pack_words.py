"""What is told of a pack on a terminal."""

from dataclasses import replace

import pytest

from tocsin.app.home.pack_shelf import Manifest
from tocsin.app.packs.pack_change import PackAccount
from tocsin.app.packs.pack_desk import PackPlan
from tocsin.cli.pack_words import show_account
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.model.rule import RuleProblem


def test_what_the_version_before_had_refused_too_is_only_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = RuleProblem("/data/packs/ours/current/rules/a.yml", "no value for %a%", 7)
    same = replace(old, path="/data/packs/ours/5f/rules/a.yml", line=9)
    other = replace(old, path="/data/packs/ours/5f/rules/b.yml")
    manifest = Manifest("ours", "5f", "ours.zip", files=2)
    before = RuleSet((), problems=(old,))
    plan = PackPlan(manifest, PackAccount((), (same, other), ()), None, before=before)
    show_account(plan)
    told = capsys.readouterr().out
    assert "REFUSED rules/b.yml:7: no value" in told
    assert "a.yml" not in told
    assert "2 documents are refused\n  1 of these were refused before" in told
    show_account(replace(plan, account=PackAccount((), (same,), ())))
    assert "1 documents are refused, as they were before" in capsys.readouterr().out
