"""What every answer carries, what attackers write into logs, and pages for what goes wrong."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.console.conftest import Visitors
from tests.console.living import plant_alert
from tocsin.app.wiring import Tocsin
from tocsin.console import application, rendering

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}\u202egnp\x07'
FOLDER = Path(application.__file__).parent
PAGES = ("/queue", "/queue?tab=alerts", "/search", "/cases", "/approvals", "/leases", "/sources")


@pytest.mark.parametrize(
    "path", [*PAGES, "/rules", "/coverage", "/packs", "/nothing-here", "/static/css/tokens.css"]
)
def test_every_answer_is_guarded(visitors: Visitors, path: str) -> None:
    headers = visitors("ada.lind").get(path).headers
    policy = headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "permissions-policy" in headers
    if not path.startswith("/static"):
        assert headers["cache-control"] == "no-store"


def test_pages_are_compressed_and_small(visitors: Visitors) -> None:
    answer = visitors("ada.lind").get("/queue", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < 26_000


def test_files_may_be_kept_because_their_address_names_their_content(visitors: Visitors) -> None:
    page = visitors("ada.lind").get("/queue").text
    addresses = re.findall(r'(?:href|src)="(/static/[^"#]+)', page)
    assert len(addresses) > 5
    for address in set(addresses):
        answer = visitors().get(address)
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["cache-control"]


def test_what_an_attacker_writes_stays_text(visitors: Visitors, house: Tocsin) -> None:
    alert = plant_alert(house, f"Title {HOSTILE}", host=HOSTILE, fields={"Cmd": HOSTILE})
    with house.state.begin() as tx:
        case = house.cases.open(
            tx, title=HOSTILE, alerts=[alert], by="ada.lind", now=datetime.now(UTC)
        )
        house.cases.note(tx, case.id, author="ada.lind", text=HOSTILE, now=datetime.now(UTC))
    visitor = visitors("ada.lind")
    paths = [
        "/queue",
        "/queue?tab=alerts",
        f"/queue?tab=alerts&alert={alert.id}",
        f"/alerts/{alert.id}",
        f"/entities/{quote(alert.entity.key)}",
        "/cases",
        f"/cases/{case.id}",
        "/palette?q=script",
        "/rules?q=<script>alert(1)</script>",
    ]
    for path in paths:
        text = visitor.get(path).text
        assert "<script>alert" not in text, path
        assert "<img src=x" not in text, path
        assert "\u202e" not in text, path
        assert "\x07" not in text, path
    searched = visitor.get(f"/search?q={quote(HOSTILE)}").text
    assert "<script>alert" not in searched
    story = visitor.get(f"/alerts/{alert.id}").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in story
    assert "⟨U+202E⟩" in story
    assert "{{7*7}}" in story


def test_a_very_long_value_is_cut_and_says_so(visitors: Visitors, house: Tocsin) -> None:
    alert = plant_alert(house, "A very long value", fields={"Data": "A" * 300_000})
    text = visitors("ada.lind").get(f"/alerts/{alert.id}").text
    assert len(text) < 60_000
    assert "more characters)" in text


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/alerts/alert-none",
        "/cases/case-none",
        "/runs/run-none",
        "/rules/none",
        "/entities/planet:mars",
    ],
)
def test_what_does_not_exist_is_told_so(visitors: Visitors, path: str) -> None:
    answer = visitors("ada.lind").get(path)
    assert answer.status_code == 404
    assert "Nothing here" in answer.text


@pytest.fixture
def broken_alerts(house: Tocsin, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(type(house.alerts), "page", fail)
    monkeypatch.setattr(type(house.events), "search", fail)
    return


@pytest.mark.usefixtures("broken_alerts")
def test_a_store_that_fails_leaves_the_rest_of_the_page(visitors: Visitors) -> None:
    visitor = visitors("ada.lind")
    for path in ("/queue?tab=alerts", "/search"):
        answer = visitor.get(path)
        assert answer.status_code == 200
        assert "the disk is gone" in answer.text
        assert 'href="/cases"' in answer.text
    assert "the disk is gone" not in visitor.get("/queue").text


@pytest.mark.usefixtures("broken_alerts")
def test_a_page_that_fails_whole_says_so_without_its_inside(visitors: Visitors) -> None:
    answer = visitors("ada.lind").get("/entities/host:nh-ws12")
    assert answer.status_code == 500
    assert "This page failed" in answer.text
    assert "the disk is gone" not in answer.text


def test_the_build_step_is_named_when_it_was_skipped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rendering, "STATIC", tmp_path)
    with pytest.raises(rendering.MissingFiles, match=r"hatch_build\.py"):
        rendering.make_environment()


def test_templates_hold_nothing_the_policy_forbids() -> None:
    for path in sorted((FOLDER / "templates").glob("*.html")):
        text = path.read_text()
        assert "|safe" not in text.replace(" ", ""), path
        assert "autoescape" not in text, path
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on", text), path
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), path
        assert not re.search(r"(?:src|href|action)=\"https?:", text), path


def test_islands_never_make_code_or_markup_of_text() -> None:
    for path in sorted((FOLDER / "static" / "islands").glob("*.js")):
        text = path.read_text()
        assert not re.search(r"\beval\b|new Function|document\.write|insertAdjacentHTML", text), (
            path
        )
        assert "innerHTML" not in text, path
