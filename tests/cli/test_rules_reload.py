"""``tocsin rules reload`` asks the running server and tells what changed."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.cli.conftest import Ran
from tests.detect.rule_texts import ID, rule_text
from tocsin.api.application import create_api
from tocsin.app.wiring import Tocsin as House
from tocsin.cli.commands import rules_reload
from tocsin.cli.data_folder import open_house
from tocsin.cli.remote import Remote
from tocsin.model.principal import Role

Tocsin = Callable[..., Ran]
OTHER = "5f0b7f3e-0000-4000-8000-0000000000aa"


@pytest.fixture
def rules(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The rule folder of a data folder a server runs on."""
    monkeypatch.setenv("TOCSIN_DETECT__SHIPPED_PACK", "false")
    folder = home / "rules"
    folder.mkdir(parents=True)
    (folder / "one.yml").write_text(rule_text("  s: {Image: a}\n  condition: s"))
    house = open_house(None)
    through(house, monkeypatch)
    yield folder
    house.close()


def through(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    client = TestClient(create_api(house))
    now = datetime.now(UTC)
    token = house.access.create_token("t", [Role.ENGINEER], lifetime_s=600, by="test", now=now)
    client.headers["Authorization"] = f"Bearer {token}"

    class Here(Remote):
        def __init__(self, facts: dict[str, str]) -> None:
            super().__init__(facts)
            self._client.close()
            self._client = client  # type: ignore[assignment]

    facts = {"url": "http://127.0.0.1:1", "token": "t"}
    monkeypatch.setattr(rules_reload, "server_of", lambda *_: facts)
    monkeypatch.setattr(rules_reload, "Remote", Here)


def test_what_came_changed_and_went_is_told(tocsin: Tocsin, rules: Path) -> None:
    assert "nothing has changed" in tocsin("rules", "reload").out
    (rules / "one.yml").write_text(rule_text("  s: {Image: b}\n  condition: s"))
    more = rule_text("  s: {Image: c}\n  condition: s", rule_id=OTHER).replace("A rule", "New one")
    (rules / "two.yml").write_text(more)
    told = tocsin("rules", "reload")
    assert told.code == 0
    assert "New one" in told.out
    (rules / "two.yml").unlink()
    gone = tocsin("rules", "reload", "--json").json
    assert (gone["removed"], gone["added"], gone["changed"]) == ([OTHER], [], [])
    (rules / "one.yml").write_text("title: [")
    bad = tocsin("rules", "reload")
    assert bad.code == 2
    assert "stays in force" in bad.out
    assert ID in bad.out


def test_without_a_server_it_says_what_to_do(tocsin: Tocsin, home: Path) -> None:
    told = tocsin("rules", "reload")
    assert told.code == 3
    assert "no server runs on" in told.err
