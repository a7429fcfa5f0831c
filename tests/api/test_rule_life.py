"""Decisions on rules over the API: saved, refused with the reason, told to the second of two."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

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
"""
AT = f"/api/v1/rules/{RULE}"


@pytest.fixture(autouse=True)
def rules(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "rules"
    folder.mkdir(parents=True)
    (folder / "ssh.yml").write_text(TEXT)


def test_an_exception_comes_goes_and_stays_in_the_history(client: TestClient) -> None:
    wanted: dict[str, Any] = {
        "fields": {"src_ip": ["10.0.0.1", "10.0.0.2"]},
        "owner": "ann",
        "reason": "jump hosts",
        "expires": "2099-01-01T00:00:00Z",
    }
    made = client.post(f"{AT}/exceptions", json=wanted)
    assert made.status_code == 201, made.text
    number = made.json()["exception"]["id"]
    told = client.get(f"{AT}/overlay").json()
    assert [one["exception"]["fields"] for one in told["exceptions"]] == [wanted["fields"]]
    assert told["exceptions"][0]["exception"]["created_by"] == "token:engineer"
    assert client.delete(f"{AT}/exceptions/{number}").json()["exceptions"] == []
    assert client.delete(f"{AT}/exceptions/{number}").status_code == 409
    whats = [one["what"] for one in client.get(f"{AT}/history").json()["history"]]
    assert whats == [f"exception {number} removed", f"exception {number} added"]


def test_the_second_to_save_is_told_what_the_first_saved(client: TestClient) -> None:
    first = {"version": 0, "level": "high", "reason": "first"}
    assert client.put(f"{AT}/overlay", json=first).json()["version"] == 1
    second = client.put(f"{AT}/overlay", json={"version": 0, "notes": "mine", "reason": "second"})
    assert second.status_code == 409
    problem = second.json()
    assert problem["version"] == 1
    assert problem["changes"] == [{"field": "level", "before": "", "after": "high"}]
    assert client.get(f"{AT}/overlay").json()["level"] == "high"


def test_many_rules_move_and_those_that_cant_say_why(client: TestClient) -> None:
    body = {"rule_ids": [RULE, "nothing"], "state": "staging", "reason": "look first"}
    moved = client.post("/api/v1/rules/state", json=body).json()["moved"]
    assert [(one["after"], bool(one["refused"])) for one in moved] == [
        ("staging", False),
        ("active", True),
    ]


def test_rules_that_do_not_run_are_listed_with_their_state(client: TestClient) -> None:
    def listed() -> tuple[list[str], list[str]]:
        told = client.get("/api/v1/rules").json()
        return tuple([one["state"] for one in told[name] if one["id"] == RULE] for name in kinds)

    kinds = ("rules", "idle")
    assert listed() == (["active"], [])
    for state, expected in (("staging", (["staging"], [])), ("retired", ([], ["retired"]))):
        body = {"rule_ids": [RULE], "state": state, "reason": "look"}
        client.post("/api/v1/rules/state", json=body)
        assert listed() == expected
        assert client.get(f"/api/v1/rules/{RULE}").json()["state"] == state


def test_going_back_and_another_level(client: TestClient) -> None:
    client.post(f"{AT}/level", json={"level": "critical", "reason": "crown jewels"})
    assert client.get(AT).json()["level"] == "critical"
    back = client.post(f"{AT}/revert", json={"version": 0, "reason": "no"})
    assert (back.json()["level"], back.json()["version"]) == ("low", 2)
    assert client.post(f"{AT}/revert", json={"version": 9, "reason": "no"}).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/v1/rules/nothing/overlay", None, 404),
        ("GET", "/api/v1/rules/nothing/history", None, 404),
        ("POST", f"{AT}/exceptions", {"fields": {}, "owner": "a", "reason": "r"}, 422),
        ("POST", f"{AT}/exceptions", {"fields": {"a|b": 1}, "owner": "a", "reason": "r"}, 409),
        ("POST", f"{AT}/exceptions", {"fields": {"a": 1}, "owner": "", "reason": "r"}, 422),
        ("PUT", f"{AT}/overlay", {"version": 0, "state": "asleep", "reason": "r"}, 422),
        ("POST", "/api/v1/rules/state", {"rule_ids": [RULE], "state": "draft", "reason": ""}, 422),
    ],
)
def test_what_cant_be_done_says_so(
    client: TestClient, method: str, path: str, body: Any, status: int
) -> None:
    answer = client.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
