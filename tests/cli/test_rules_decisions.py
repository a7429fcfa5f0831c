"""Decisions on rules from the command line, without a server and through one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tocsin.ingest.sources.health_rules import SILENT_SOURCE

RULE = "3d5f2f6e-4a0c-4f66-8d55-9d0f2b1b0a01"
TEXT = """
title: Password is refused
id: 3d5f2f6e-4a0c-4f66-8d55-9d0f2b1b0a01
status: test
logsource: {product: linux, service: sshd}
detection:
    selection:
        message|startswith: "Failed password"
    condition: selection
level: low
tocsin:
    tests:
        - name: refused
          expect: match
          event: {message: "Failed password for root"}
"""
Tocsin = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _rule(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "rules").mkdir(parents=True)
    (home / "rules" / "ssh.yml").write_text(TEXT)
    monkeypatch.setenv("TOCSIN_DETECT__SHIPPED_PACK", "false")


def test_a_rule_moves_and_says_how_many_tests_it_passed(tocsin: Tocsin) -> None:
    ran = tocsin("rules", "state", RULE, "staging", "--reason", "look first")
    assert ran.code == 0, ran.err
    assert "1 of its own tests passed" in ran.out
    back = tocsin("rules", "state", "password is refused", "draft", "--reason", "no", "--json")
    assert [one["after"] for one in back.json] == ["draft"]
    listed = tocsin("rules", "list", "--kind", "sigma", "--json").json
    assert [one["state"] for one in listed] == ["draft"]
    refused = tocsin("rules", "state", RULE, "active", "--reason", "now")
    assert refused.code == 2
    assert "may become staging or retired" in refused.out


def test_an_exception_for_a_field_that_nothing_ever_had_is_told(
    tocsin: Tocsin, tmp_path: Path
) -> None:
    none = tocsin("rules", "except", "password is refused")
    assert "“Password is refused” has no exception" in none.out
    log = tmp_path / "auth.log"
    log.write_text("Nov 22 10:00:00 nh-db01 sshd[7]: Failed password for root from 10.0.0.1\n")
    assert tocsin("ingest", log).code == 0
    said = ("--owner", "ann", "--reason", "known")
    typed = tocsin("rules", "except", RULE, "hostnam=nh-db01", "hostname=nh-db01", *said)
    assert "never had hostnam;" in typed.err
    assert "never" not in tocsin("rules", "except", RULE, "hostname=nh-db01", *said).err
    shown = tocsin("rules", "except", RULE, "--json").json
    assert [one["unseen_fields"] for one in shown] == [["hostnam"], []]


def test_exceptions_are_added_listed_and_removed(tocsin: Tocsin, tmp_path: Path) -> None:
    listed = tmp_path / "hosts.txt"
    listed.write_text("10.0.0.1\n\n10.0.0.2\n")
    given = ("src_ip=@" + str(listed), "message|contains=root")
    said = ("--owner", "ann", "--reason", "jump hosts")
    made = tocsin("rules", "except", RULE, *given, *said, "--expires", "30d", "--json")
    assert made.code == 0, made.err
    exception = made.json["exception"]
    assert exception["fields"]["src_ip"] == ["10.0.0.1", "10.0.0.2"]
    assert exception["expires"] > exception["created_at"]
    shown = tocsin("rules", "except", RULE, "--json").json
    assert [(one["exception"]["id"], one["hidden"]) for one in shown] == [(exception["id"], 0)]
    tocsin("rules", "except", RULE, "--remove", exception["id"], "--reason", "gone")
    assert tocsin("rules", "except", RULE, "--json").json == []


def test_an_exception_that_blinds_the_rule_is_told(tocsin: Tocsin) -> None:
    said = ("--owner", "ann", "--reason", "all")
    ran = tocsin("rules", "except", RULE, "message|contains=Failed", *said)
    assert "would hide what the rule's own test “refused” must find" in ran.err


def test_history_level_and_going_back(tocsin: Tocsin) -> None:
    shown = tocsin("rules", "level", RULE, "high", "--reason", "crown jewels")
    assert "high (the rule's own: low)" in shown.out
    listed = tocsin("rules", "list", "--level", "high", "--json").json
    ids = {one["id"] for one in listed}
    assert ids == {RULE, SILENT_SOURCE.id}, "what watches the platform itself is a rule, too"
    history = tocsin("rules", "history", RULE)
    assert "crown jewels" in history.out
    assert "+level: high" in history.out
    assert tocsin("rules", "revert", RULE, "0", "--reason", "calm").code == 0
    versions = tocsin("rules", "history", RULE, "--json").json
    assert [one["what"] for one in versions] == ["reverted to version 0", "level high"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("level", RULE, "loud", "--reason", "r"), 3, "loud is no level"),
        (("except", RULE, "a=b"), 3, "--owner and --reason"),
        (("except", RULE, "ab", "--owner", "a", "--reason", "r"), 3, "write FIELD=VALUE"),
        (("except", RULE, "a=@none", "--owner", "a", "--reason", "r"), 3, "can't be read"),
        (("except", RULE, "a|b=1", "--owner", "a", "--reason", "r"), 2, "can't be used"),
        (("history", "nothing"), 2, "no rule with the id nothing"),
        (("revert", RULE, "7", "--reason", "r"), 2, "has no version 7"),
        (("settle", RULE), 3, "--ours or --theirs"),
        (("state", "nothing", "draft", "--reason", "r"), 2, "no such rule"),
    ],
)
def test_what_cant_be_done_says_so(
    tocsin: Tocsin, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ran = tocsin("rules", *arguments)
    assert (ran.code, said in ran.err) == (code, True), ran.err


def test_a_rule_pages_by_schedule(tocsin: Tocsin) -> None:
    given = ("--hours", "08:00-18:00", "--days", "mon-fri", "--zone", "Europe/Berlin", "--outside")
    ran = tocsin("rules", "schedule", RULE, *given, "--reason", "office hours")
    assert ran.code == 0, ran.err
    assert "pages outside mon, tue, wed, thu, fri 08:00-18:00 Europe/Berlin" in ran.out
    refused = tocsin("rules", "schedule", RULE, "--hours", "8-18", "--reason", "x")
    assert refused.code == 3
    assert (
        "is no time zone"
        in tocsin(
            *(
                "rules",
                "schedule",
                RULE,
                "--hours",
                "08:00-18:00",
                "--zone",
                "Mars/X",
                "--reason",
                "x",
            )
        ).err
    )
    back = tocsin("rules", "schedule", RULE, "--always", "--reason", "always", "--json")
    assert back.json["schedule"] is None
    history = tocsin("rules", "history", RULE, "--json").json
    assert "schedule" in history[0]["diff"]
