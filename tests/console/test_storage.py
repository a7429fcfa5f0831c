"""The page about storage: what it shows, what a change would delete, and what holds keep."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal

from tests.console.conftest import Visitors
from tests.console.living import PASSWORD
from tests.kept_events import store_events
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.model.principal import Role


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Tocsin]:
    """A house with the events of half a year."""
    house = open_tocsin(load_settings(home=tmp_path / "home", detect__shipped_pack=False))
    now = datetime.now(UTC)
    roles = [Role.ADMINISTRATOR]
    house.access.create_user("root.admin", roles, password=PASSWORD, by="test", now=now)
    for days, count in ((180, 4), (120, 4), (3, 40), (0.1, 50)):
        store_events(
            *(house.events, house.state, now - timedelta(days=days), count),
            sources=("<b>mail</b>", "web"),
        )
    yield house
    house.close()


@pytest.fixture
def visitors(kept: Tocsin, portal: BlockingPortal) -> Iterator[Visitors]:
    made = Visitors(portal, kept)
    yield made
    made.close()


def fields(page: str) -> dict[str, str]:
    """The hidden fields of the form that decides."""
    form = page[page.index('action="/storage/rules"') :].partition("</form>")[0]
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form))


def test_it_is_shown_looked_at_decided_and_told(kept: Tocsin, visitors: Visitors) -> None:
    root = visitors("root.admin")
    page = root.get("/storage").text
    assert "196" in page
    assert "&lt;b&gt;mail&lt;/b&gt;" in page
    assert "<b>mail" not in page
    assert "For ever: no rule says otherwise" in page
    wanted = {"name": "all", "keep_days": "90", "source": "*", "counted_from": "intake"}
    shown = root.post("/storage/preview", **wanted).text
    assert "It would delete 16 events" in shown
    assert kept.retention.book.rules() == ()
    held = {"name": "Case 9", "reason": "a court asked", "sources": "web, mail*", "to": "now-150d"}
    assert root.post("/storage/holds", **held).status_code == 303
    shown = root.post("/storage/preview", **wanted).text
    assert "It would delete 12 events" in shown
    assert root.post("/storage/rules", **fields(shown)).status_code == 303
    for _ in range(2):  # whole segments first
        kept.storage_watch.look(datetime.now(UTC))
    assert kept.events.count() == 184
    page = root.get("/storage").text
    assert "*: 90 days" in page
    assert "a court asked" in page
    assert "web, mail* to " in page
    (hold,) = kept.retention.holds.all()
    done = {"hold": hold.id, "because": "the court is done"}
    assert root.post("/storage/holds/lift", **done).status_code == 303
    shown = root.post("/storage/preview", do="remove", name="all").text
    assert "no rule of this name" in shown
    assert "It would delete nothing now" in shown
    root.post("/storage/rules", **fields(shown))
    assert kept.retention.book.rules() == ()


def test_what_stopped_is_told_and_let_go_on(kept: Tocsin, visitors: Visitors) -> None:
    root = visitors("root.admin")
    wanted = {"name": "all", "keep_days": "1", "source": "*", "counted_from": "intake"}
    shown = root.post("/storage/preview", **wanted).text
    assert "49% of all, would go at once" in shown
    answer = root.post("/storage/rules", **{**fields(shown), "seen_events": "3"})
    assert answer.status_code == 303
    assert kept.retention.book.rules() == ()
    root.post("/storage/rules", **fields(shown))
    late = datetime.now(UTC) + timedelta(days=30)
    kept.storage_watch.look(late)
    page = root.get("/storage").text
    assert "Nothing is deleted: retention stopped" in page
    assert "The clock is 30 d" in page
    assert kept.events.count() == 196
    root.post("/storage/go-on", seen_events="96")
    kept.storage_watch.look_again()
    kept.storage_watch.look(datetime.now(UTC))
    assert kept.events.count() == 100
    assert "Nothing is deleted" not in root.get("/storage").text


@pytest.mark.parametrize(
    ("path", "form", "told"),
    [
        ("/storage/preview", {"name": "a", "keep_days": "ninety"}, "such as 90, instead of ninety"),
        ("/storage/preview", {"name": "a", "keep_days": "0"}, "a number from 1 on"),
        ("/storage/preview", {"name": "a", "source": "x", "least_free_gb": "5"}, "leave source"),
        ("/storage/preview", {"name": "none", "do": "remove"}, "no rule of retention named"),
        ("/storage/holds", {"name": "a", "reason": "b", "from": "soon"}, "soon"),
        ("/storage/holds", {"name": "a"}, "give the reason"),
        ("/storage/holds/lift", {"hold": "none", "because": "b"}, "no hold"),
    ],
)
def test_what_can_not_be_is_refused(
    house: Tocsin, portal: BlockingPortal, path: str, form: dict[str, str], told: str
) -> None:
    made = Visitors(portal, house)
    root = made("root.admin")
    answer = root.post(path, back="/storage", **form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/storage")
    assert told in root.get("/storage").text
    made.close()


def test_who_may_what(living_visitors: Visitors) -> None:
    engineer, manager = living_visitors("ebba.only"), living_visitors("mira.kask")
    assert "Add a rule" not in engineer.get("/storage").text
    assert "Hold…" not in engineer.get("/storage").text
    assert "Hold…" in manager.get("/storage").text
    for visitor, path in (
        (engineer, "/storage/preview"),
        (engineer, "/storage/rules"),
        (engineer, "/storage/go-on"),
        (engineer, "/storage/holds"),
        (engineer, "/storage/holds/lift"),
        (manager, "/storage/rules"),
    ):
        assert visitor.post(path, name="a").status_code == 403
