"""Builds small playbooks for tests: valid unless a test breaks them."""

import base64
import json
from typing import Any
from uuid import UUID

IDENTITY = "identity--0f1c7d2e-4b8a-4e6b-8d55-7a2c9b3e1f40"


def step_id(kind: str, number: int) -> str:
    return f"{kind}--{UUID(int=number, version=4)}"


START, END, ACTION = step_id("start", 1), step_id("end", 2), step_id("action", 3)
TOCSIN = step_id("security-category", 4)
BLOCKLIST = step_id("security-category", 5)


def openc2(content: Any) -> dict[str, Any]:
    return {
        "type": "openc2-http",
        "command": "POST /openc2 HTTP/1.1",
        "content_b64": base64.b64encode(json.dumps(content).encode()).decode(),
    }


def locate(name: str = "Locate", then: str = END, **more: Any) -> dict[str, Any]:
    """An action step that looks an address up."""
    command = openc2({"action": "locate", "target": {"ipv4_net": "__address__:value"}})
    step = {"type": "action", "name": name, "agent": TOCSIN, "commands": [command]}
    return {**step, **({} if "on_success" in more else {"on_completion": then}), **more}


def end() -> dict[str, Any]:
    return {"type": "end"}


def start(then: str) -> dict[str, Any]:
    return {"type": "start", "on_completion": then}


def playbook(workflow: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A playbook that looks an address up, or one with another workflow."""
    return {
        "type": "playbook",
        "spec_version": "cacao-2.0",
        "id": step_id("playbook", 9),
        "name": "A playbook",
        "created_by": IDENTITY,
        "created": "2026-01-02T03:04:05.000Z",
        "modified": "2026-01-02T03:04:05.000Z",
        "playbook_variables": {
            "__address__": {"type": "ipv4-addr", "external": True},
            "__asset__": {"type": "string", "value": ""},
            "__users__": {"type": "integer", "value": "0"},
        },
        "workflow_start": START,
        "workflow": workflow or {START: start(ACTION), ACTION: locate(), END: end()},
        "agent_definitions": {
            TOCSIN: {"type": "security-category", "name": "tocsin", "category": ["orchestrator"]},
            BLOCKLIST: {"type": "security-category", "name": "blocklist", "category": ["firewall"]},
        },
        **more,
    }
