"""Playbooks: read whole or refused with the place and the reason."""

import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from tests.respond.playbook_text import (
    ACTION,
    BLOCKLIST,
    END,
    START,
    end,
    locate,
    openc2,
    playbook,
    start,
    step_id,
)
from tests.respond.rig import PLAYBOOKS
from tocsin.respond.playbook import (
    Playbook,
    PlaybookProblem,
    lint,
    load_playbook,
    load_playbooks,
    read_playbook,
)

Change = Callable[[dict[str, Any]], object]
IF = step_id("if-condition", 20)
INNER, INNER_END = step_id("action", 21), step_id("end", 22)
OTHER, OTHER_END = step_id("action", 23), step_id("end", 24)
PARALLEL = step_id("parallel", 25)


def read(content: dict[str, Any]) -> Playbook | tuple[PlaybookProblem, ...]:
    return read_playbook(json.dumps(content))


def problems_of(change: Change) -> tuple[PlaybookProblem, ...]:
    content = playbook()
    change(content)
    problems = read(content)
    assert not isinstance(problems, Playbook)
    return problems


def test_the_shipped_playbooks_can_be_walked() -> None:
    loaded, problems = load_playbooks([PLAYBOOKS])
    assert problems == []
    assert [one.name for one in loaded] == [
        "Contain an address",
        "Contain an address on this machine",
    ]
    assert lint([PLAYBOOKS]) == []


def test_a_small_playbook_is_read() -> None:
    loaded = read(playbook())
    assert isinstance(loaded, Playbook)
    assert len(loaded.digest) == 64


FAULTS: list[tuple[Change, str, str]] = [
    (lambda p: p.pop("created_by"), "created_by", "Field required"),
    (lambda p: p.update(id="playbook-1"), "id", "not an identifier"),
    (lambda p: p.update(spec_version="1.1"), "spec_version", "cacao-2.0"),
    (lambda p: p.update(modified="2026-01-02T03:04:05Z"), "modified", "three decimals"),
    (lambda p: p.update(created="2026-02-30T03:04:05.000Z"), "created", "day is out of range"),
    (lambda p: p.update(modified="2025-01-02T03:04:05.000Z"), "modified", "earlier"),
    (lambda p: p.update(colour="red"), "colour", "Extra inputs"),
    (lambda p: p.update(workflow_start=step_id("start", 77)), "workflow_start", "not a start step"),
    (lambda p: p.update(workflow_exception=step_id("end", 78)), "workflow_exception", "not in the"),
    (lambda p: p["workflow"][ACTION].update(type="dance"), f"workflow.{ACTION}", "dance"),
    (
        lambda p: p["workflow"][ACTION].update(on_completion=step_id("end", 79)),
        f"workflow.{ACTION}.on_completion",
        "is not in the workflow",
    ),
    (lambda p: p["workflow"][ACTION].pop("on_completion"), f"workflow.{ACTION}", "just stop"),
    (
        lambda p: p["workflow"][ACTION].update(on_failure=END),
        f"workflow.{ACTION}",
        "only one kind is allowed",
    ),
    (lambda p: p["workflow"][ACTION].update(on_completion=ACTION), "workflow", "again from itself"),
    (lambda p: p["workflow"][ACTION].update(on_completion=START), "workflow", "back to the start"),
    (lambda p: p["workflow"][END].update(on_completion=ACTION), "workflow", "nothing after it"),
    (lambda p: p["workflow"].update({OTHER: locate()}), f"workflow.{OTHER}", "is never reached"),
    (
        lambda p: p["workflow"].update({step_id("start", 5): start(ACTION)}),
        "workflow",
        "exactly one",
    ),
    (
        lambda p: p["workflow"].update({step_id("dance", 5): end()}),
        "workflow",
        "must begin with end--",
    ),
    (
        lambda p: p["playbook_variables"].pop("__address__"),
        f"workflow.{ACTION}",
        "declared nowhere",
    ),
    (
        lambda p: p["playbook_variables"].update(x={"type": "string"}),
        "playbook_variables",
        "__name__",
    ),
    (
        lambda p: p["agent_definitions"].clear(),
        f"workflow.{ACTION}.agent",
        "not in agent_definitions",
    ),
    (lambda p: p["workflow"][ACTION].update(agent=BLOCKLIST), "commands.0", "is not for agent"),
    (
        lambda p: p["workflow"][ACTION].update(out_args=["__users__", "__address__"]),
        "out_args",
        "none of the answers",
    ),
    (
        lambda p: p["workflow"][ACTION].update(targets=[step_id("ssh", 1)]),
        "targets",
        "target_definitions",
    ),
    (
        lambda p: p["workflow"][ACTION].update(
            step_extensions={step_id("extension-definition", 1): {}}
        ),
        "step_extensions",
        "extension",
    ),
]


@pytest.mark.parametrize(("change", "where", "reason"), FAULTS)
def test_a_fault_is_named_with_its_place(change: Change, where: str, reason: str) -> None:
    found = [(problem.where, problem.reason) for problem in problems_of(change)]
    assert any(where in place and reason in told for place, told in found), found


UNSUPPORTED: list[tuple[Change, str]] = [
    (lambda p: p.update(revoked=True), "withdrawn"),
    (lambda p: p.update(signatures=[{"type": "jss"}]), "can't be verified"),
    (lambda p: p["workflow"][ACTION].update(commands=[{"type": "bash", "command": "id"}]), "bash"),
    (
        lambda p: p["workflow"][ACTION].update(commands=[{"type": "pong"}]),
        "not a CACAO 2.0 command",
    ),
    (
        lambda p: p["workflow"][ACTION].update(commands=[{"type": "manual", "command": "x"}]),
        "approval",
    ),
    (
        lambda p: p["workflow"][ACTION].update(
            commands=[openc2({"action": "contain", "target": {"ipv4_net": "1.2.3.4"}})]
        ),
        "action",
    ),
    (
        lambda p: p["workflow"][ACTION].update(
            agent=BLOCKLIST,
            commands=[openc2({"action": "deny", "target": {"ipv4_net": "__address__:value"}})],
        ),
        "every containment is a lease",
    ),
    (
        lambda p: p["workflow"][ACTION].update(
            agent=BLOCKLIST,
            commands=[
                openc2(
                    {
                        "action": "deny",
                        "target": {"ipv4_net": "__address__:value"},
                        "args": {"duration": 1000, "slpf": {"direction": "ingress"}},
                    }
                )
            ],
        ),
        "direction",
    ),
]


@pytest.mark.parametrize(("change", "reason"), UNSUPPORTED)
def test_what_we_can_not_do_is_refused_and_never_skipped(change: Change, reason: str) -> None:
    problems = problems_of(change)
    assert all(problem.is_valid for problem in problems)
    assert any(reason in problem.reason for problem in problems), problems


def test_branches_need_steps_and_ends_of_their_own() -> None:
    workflow = {
        START: start(PARALLEL),
        PARALLEL: {"type": "parallel", "next_steps": [INNER, OTHER], "on_completion": END},
        INNER: locate(then=INNER_END),
        OTHER: locate(then=INNER_END),
        INNER_END: end(),
        END: end(),
    }
    problems = read(playbook(workflow))
    assert not isinstance(problems, Playbook)
    assert "each needs its own steps" in problems[0].reason
    workflow[OTHER]["on_completion"] = OTHER_END
    workflow[OTHER_END] = end()
    assert isinstance(read(playbook(workflow)), Playbook)


def test_a_condition_that_can_not_be_read_is_refused() -> None:
    workflow = {
        START: start(IF),
        IF: {"type": "if-condition", "condition": "yes", "on_true": INNER, "on_completion": END},
        INNER: locate(then=INNER_END),
        INNER_END: end(),
        END: end(),
    }
    problems = read(playbook(workflow))
    assert not isinstance(problems, Playbook)
    assert problems[0].where == f"workflow.{IF}.condition"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{", "\x00", '{"type": 1, "type": 2}', "[" * 100_000, '{"id": "\\ud800"}'],
)
def test_text_that_is_no_playbook_is_refused(text: str) -> None:
    problems = read_playbook(text, "x.json")
    assert not isinstance(problems, Playbook)
    assert str(problems[0]).startswith("x.json: ")


def test_a_file_that_can_not_be_read_is_a_problem(tmp_path: Path) -> None:
    assert "can't be read" in str(load_playbook(tmp_path / "absent.json"))
    (tmp_path / "large.json").write_bytes(b" " * ((1 << 20) + 1))
    (tmp_path / "latin.json").write_bytes(b'{"name": "\xe9"}')
    assert len(lint([tmp_path])) == 2


def test_the_newest_version_of_a_playbook_is_taken(tmp_path: Path) -> None:
    for number in (3, 1, 2):
        text = json.dumps(
            playbook(
                modified=f"2026-01-02T03:04:05.00{number}Z",
                name=str(number),
                created="2026-01-01T00:00:00.000Z",
            )
        )
        (tmp_path / f"{number}.json").write_text(text)
    loaded, _ = load_playbooks([tmp_path])
    assert [one.name for one in loaded] == ["3"]


def test_a_playbook_says_when_it_is_not_in_force() -> None:
    loaded = read(playbook(valid_from="2026-02-01T00:00:00Z", valid_until="2026-03-01T00:00:00Z"))
    assert isinstance(loaded, Playbook)
    assert "valid from" in loaded.not_in_force(datetime(2026, 1, 31, tzinfo=UTC))
    assert loaded.not_in_force(datetime(2026, 2, 1, tzinfo=UTC)) == ""
    assert "valid until" in loaded.not_in_force(datetime(2026, 3, 1, tzinfo=UTC))


def test_playbooks_of_another_tool_are_refused_with_their_reasons(
    test_data: Path, tmp_path: Path
) -> None:
    with tarfile.open(test_data / "cacao-playbooks" / "data.tar.xz", "r:xz") as archive:
        archive.extractall(tmp_path, filter="data")
    found = {path.name: load_playbook(path) for path in sorted(tmp_path.rglob("*-playbook.json"))}
    assert len(found) == 6
    told = {
        name: " ".join(problem.reason for problem in problems)
        for name, problems in found.items()
        if not isinstance(problems, Playbook)
    }
    assert "needs the approval extension" in told["manual-playbook.json"]
    assert "powershell commands can't be carried out here" in told["powershell-playbook.json"]
    assert "not an identifier" in told["fin-playbook.json"]
    for name in ("http", "openc2", "ssh"):
        assert "exactly three decimals" in told[f"{name}-playbook.json"]


def test_the_shipped_playbooks_fit_the_published_schemas(test_data: Path, tmp_path: Path) -> None:
    """As draft-07 the schemas see types, required properties and patterns (not junk)."""
    with tarfile.open(test_data / "cacao-schemas" / "data.tar.xz", "r:xz") as archive:
        archive.extractall(tmp_path, filter="data")
    schemas = [json.loads(path.read_text()) for path in tmp_path.rglob("*.json")]
    registry: Registry[Any] = Registry().with_resources(
        [(schema["$id"], Resource.from_contents(schema)) for schema in schemas if "$id" in schema]
    )
    whole = next(schema for schema in schemas if schema.get("title") == "playbook")
    validator = Draft7Validator(whole, registry=registry)
    for path in sorted(PLAYBOOKS.glob("*.json")):
        content = json.loads(path.read_text())
        assert [error.message for error in validator.iter_errors(content)] == []
        content["priority"] = 101
        assert list(validator.iter_errors(content))
