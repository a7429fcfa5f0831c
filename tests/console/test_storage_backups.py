"""The section about backups: how they went, one now, and what a check found damaged."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal

from tests.console.conftest import Visitors
from tests.console.living import PASSWORD
from tests.kept_events import store_events
from tocsin.app.backups.backup_ledger import note_failed
from tocsin.app.backups.integrity import check_integrity
from tocsin.app.backups.integrity_ledger import note_check
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.model.principal import Role


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Tocsin]:
    settings = load_settings(
        home=tmp_path / "home", detect__shipped_pack=False, backup__target=str(tmp_path / "vault")
    )
    house = open_tocsin(settings)
    now = datetime.now(UTC)
    for name, role in (("root.admin", Role.ADMINISTRATOR), ("ana.lyst", Role.ANALYST)):
        house.access.create_user(name, [role], password=PASSWORD, by="test", now=now)
    store_events(house.events, house.state, now, 4)
    yield house
    house.close()


@pytest.fixture
def visitors(kept: Tocsin, portal: BlockingPortal) -> Iterator[Visitors]:
    made = Visitors(portal, kept)
    yield made
    made.close()


def test_one_is_asked_for_and_shown(kept: Tocsin, visitors: Visitors) -> None:
    root = visitors("root.admin")
    page = root.get("/storage").text
    assert "None has been made yet." in page
    assert root.post("/storage/backups").status_code == 303
    kept.safekeeping.look(datetime.now(UTC))
    page = root.get("/storage").text
    assert "4 events" in page[page.index('id="backups"') :]
    ana = visitors("ana.lyst")
    assert "Back up now" not in ana.get("/storage").text
    assert ana.post("/storage/backups").status_code == 403


def test_what_failed_and_what_is_damaged_is_told(kept: Tocsin, visitors: Visitors) -> None:
    home, target = kept.settings.home, kept.settings.backup.target
    note_failed(home, target, at=datetime.now(UTC), error="<i>the disk</i> is away")
    (segment,) = kept.events.segments(None, None)
    (home / "events" / segment.path).write_bytes(b"")
    note_check(home, check_integrity(home, kept.state))
    page = visitors("root.admin").get("/storage").text
    assert "&lt;i&gt;the disk&lt;/i&gt; is away" in page
    assert "4 events are missing from every answer" in page
    assert segment.path in page
