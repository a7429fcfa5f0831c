"""A house with its API in memory, and a token to send with, for tests of senders' protocols."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from tocsin.api.application import create_api
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.model.principal import Role


@dataclass(frozen=True, slots=True)
class Door:
    """What a test sends through, and how it looks at what has come of it."""

    house: Tocsin
    client: TestClient
    token: str

    def found(self, query: str = "*") -> list[dict[str, Any]]:
        """Every stored event that matches, oldest first."""
        self.house.flow.drain()
        answer = self.client.get(
            "/api/v1/search",
            params={"q": query, "size": 1000, "from": "2000-01-01T00:00:00Z"},
            headers={"Authorization": f"Bearer {self.token}"},
        )
        assert answer.status_code == 200, answer.text
        events: list[dict[str, Any]] = answer.json()["events"]
        return sorted(events, key=lambda event: (event["time"], event["event_id"]))

    def ledgers(self) -> dict[str, tuple[int, int, int]]:
        """By source: received, stored, quarantined."""
        self.house.flow.drain()
        answer = self.client.get(
            "/api/v1/sources", headers={"Authorization": f"Bearer {self.token}"}
        )
        return {
            one["name"]: (one["received"], one["stored"], one["quarantined"])
            for one in answer.json()["sources"]
        }


def open_door(home: Path, **settings: Any) -> Door:
    """Close it with ``close_door``."""
    house = open_tocsin(
        load_settings(home=home, syslog__enabled=False, detect__shipped_pack=False, **settings)
    )
    token = house.access.create_token(
        "agent", [Role.ENGINEER], lifetime_s=3600, by="test", now=datetime.now(UTC)
    )
    return Door(house, TestClient(create_api(house), raise_server_exceptions=False), token)


def close_door(door: Door) -> None:
    door.client.close()
    door.house.close()


def dumped(*values: Any) -> bytes:
    """JSON values one after another, nothing between them."""
    return b"".join(json.dumps(value).encode() for value in values)
