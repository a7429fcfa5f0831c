"""A draft is finished in the console: tried, warned of, put in force, and used at once."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal

from tests.console import living
from tests.console.conftest import Visitors
from tocsin.app.home import own_mappings
from tocsin.connectors.catalog import mapping_paths
from tocsin.ingest.cutting.lines import split_lines
from tocsin.store.query import EventQuery

NOW = datetime.now(UTC)
GATE = """connector: gate
vendor: Example
product_name: Gate
product: gate
recognize: {message: {matches: "^badge"}}
shapes:
  - {name: line, class: base_event, activity: 99}
"""
SSHD = b"<38>Mar  1 00:00:00 web sshd[7]: Accepted password for bo from 10.0.0.1 port 9 ssh2"


def test_a_draft_is_tried_and_put_in_force(
    tmp_path: Path, portal: BlockingPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [path for path in mapping_paths() if path.parent.name == "linux"]
    monkeypatch.setattr(own_mappings, "mapping_paths", lambda: paths)
    monkeypatch.setattr(living, "PEOPLE", {"ebba.only": living.PEOPLE["ebba.only"]})
    monkeypatch.setenv("TOCSIN_DETECT__SHIPPED_PACK", "false")
    house = living.open_house(tmp_path / "home")
    house.spool.append(split_lines(SSHD, "web", NOW))
    house.spool.append(split_lines(b"badge 7 at north", "gate", NOW))
    house.flow.drain()
    made = Visitors(portal, house)
    engineer = made("ebba.only")
    sent = {"source": "gate", "connector": "gate"}

    greedy = GATE.replace('matches: "^badge"', "present: true")
    page = engineer.post("/sources/draft", **sent, text=greedy, do="try").text
    assert "1 of 1 records recognized" in page
    assert "It would also claim events that others know: 1 of linux.sshd" in page
    page = engineer.post("/sources/draft", **sent, text=GATE, do="try").text
    assert "1 of 1 records recognized" in page
    assert "It would also claim" not in page
    assert house.mappings.text_of("gate") is None

    told = engineer.post("/sources/draft", **sent, text=GATE.replace("\n", "\r\n"), do="save")
    assert told.status_code == 303
    assert house.mappings.text_of("gate") == GATE
    assert engineer.post("/sources/draft/recognize", source="gate").status_code == 303
    (event,) = house.events.search(EventQuery("source:gate")).events
    assert event.lane == "gate.line"
    made.close()
    house.close()
