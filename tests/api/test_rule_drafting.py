"""A rule is drafted from a search through the API, proven, and kept as a draft that does not run."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import yaml
from fastapi.testclient import TestClient

from tocsin.api.application import create_api
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.detect.rules.overlay import LifeState
from tocsin.model.principal import Role

DRAFT = "/api/v1/rules/draft"


def _record(number: int, image: str, line: str) -> dict[str, object]:
    return {
        "EventID": 1,
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Provider_Name": "Microsoft-Windows-Sysmon",
        "Computer": "ws01",
        "UtcTime": f"2026-03-01 12:00:{number:02}.000",
        "Image": image,
        "CommandLine": line,
        "User": "LARK\\bob",
        "ParentImage": "C:\\Windows\\explorer.exe",
    }


POWERSHELL = "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"
RECORDS = [
    *(_record(n, POWERSHELL, f"powershell.exe -enc AAA{n}") for n in range(4)),
    _record(9, "C:\\Windows\\notepad.exe", "notepad.exe a.txt"),
]


def _take_in(client: TestClient, house: Tocsin) -> None:
    body = "\n".join(map(json.dumps, RECORDS))
    assert client.post("/api/v1/events?source=ws01", content=body).json()["accepted"] == 5
    house.flow.drain()


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One house for the module, which is only asked."""
    home = tmp_path_factory.mktemp("drafting") / "home"
    house = open_tocsin(load_settings(home=home, syslog__enabled=False, detect__shipped_pack=False))
    token = house.access.create_token(
        "engineer", [Role.ENGINEER], lifetime_s=3600, by="test", now=datetime.now(UTC)
    )
    with TestClient(create_api(house), headers={"Authorization": f"Bearer {token}"}) as opened:
        _take_in(opened, house)
        yield opened
    house.close()


def test_a_search_becomes_a_rule_on_native_fields(asking: TestClient) -> None:
    query = "process.name:powershell.exe AND cmd:*-enc* AND NOT actor:alice AND source:ws01"
    drafted = asking.post(DRAFT, json={"title": "Encoded PowerShell", "q": query})
    assert drafted.status_code == 200, drafted.text
    told = drafted.json()
    rule = yaml.safe_load(told["text"])
    assert rule["logsource"] == {"category": "process_creation", "product": "windows"}
    assert rule["detection"]["selection"] == {
        "Image|endswith": "\\powershell.exe",
        "CommandLine|contains": "-enc",
    }
    assert rule["detection"]["condition"] == "selection and not filter"
    assert [test["expect"] for test in rule["tocsin"]["tests"]][:4] == ["match"] * 4
    assert "silent" in {test["expect"] for test in rule["tocsin"]["tests"]}
    assert len(told["event_ids"]) == 4
    (unsaid,) = told["unsaid"]
    assert unsaid.startswith("source:ws01")


def test_picked_events_without_a_search_become_a_rule(asking: TestClient) -> None:
    found = asking.get("/api/v1/search", params={"q": "cmd:*-enc*"}).json()["events"]
    ids = [event["event_id"] for event in found[:2]]
    told = asking.post(DRAFT, json={"title": "Picked", "events": ids}).json()
    assert told["event_ids"] == ids
    assert "detection:" in told["text"]


def test_what_makes_no_rule_is_told(asking: TestClient) -> None:
    for wish, reason in (
        ({"q": "cmd:nothing"}, "no event of a kind"),
        ({"events": ["none"]}, "is not stored"),
    ):
        refused = asking.post(DRAFT, json={"title": "x", **wish})
        assert refused.status_code == 422
        assert reason in refused.json()["detail"]
    assert asking.post(DRAFT, json={"title": "x", "q": "a AND ("}).json()["at"] == 7


def test_a_kept_draft_is_in_the_house_and_does_not_run(client: TestClient, house: Tocsin) -> None:
    _take_in(client, house)
    wish = {"title": "Kept: -enc", "q": "cmd:*-enc*", "keep": True, "level": "high"}
    told = client.post(DRAFT, json=wish).json()
    rule_id = told["rule_id"]
    assert house.rule_book.life(rule_id).state is LifeState.DRAFT
    assert house.ruleset.rule(rule_id) is None
    written = house.rule_keeper.written.rule(rule_id)
    assert written is not None
    assert written.title == "Kept: -enc"
    (moved,) = house.rule_book.set_state([rule_id], LifeState.STAGING, reason="ready", by="test")
    assert moved.after is LifeState.STAGING
