"""A search is kept on its page, found again by name, and forgotten."""

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Desks, Visitors

pytestmark = pytest.mark.browser
QUERY = "source:okta AND status_id:2"


def test_a_search_is_kept_and_found_again(desks: Desks) -> None:
    desk = desks()
    page, name = desk.page, "Refused at Okta"
    desk.open(f"/search?q={QUERY}&from=now-7d&cols=user,event&sort=oldest")
    saved = page.locator("details.drop", has_text="Saved")
    saved.locator("summary").click()
    saved.get_by_label("Keep this search as").fill(name)
    saved.get_by_label("For everyone").check()
    saved.get_by_role("button", name="Keep", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text(f"Kept as “{name}”, for everyone.")
    desk.open("/search")
    saved.locator("summary").click()
    desk.look("search-saved")
    with page.expect_navigation():
        saved.get_by_role("link", name=name).click()
    expect(page.locator("#q")).to_have_value(QUERY)
    assert "cols=user%2Cevent&sort=oldest" in page.url
    desk.ready()
    saved.locator("summary").click()
    expect(saved.get_by_role("link", name=name)).to_have_attribute("aria-current", "true")
    saved.get_by_label(f"Forget {name}").click()
    expect(page.locator("#toasts")).to_contain_text(f"“{name}” is forgotten.")
    desk.assert_quiet()


def test_others_use_what_is_shared_and_a_fault_is_told(visitors: Visitors) -> None:
    ada, otto = visitors("ada.lind"), visitors("otto.berg")
    ada.post("/search/saved", name="Ours <b>", q="source:zeek", shared="1")
    ada.post("/search/saved", name="Mine alone", q="source:zeek")
    shown = otto.get("/search").text
    assert "Ours &lt;b&gt;" in shown
    assert "Mine alone" not in shown
    assert "Saved search" in otto.get("/palette?q=ours").text
    ada.post("/search/saved", name="Broken", q="source:zeek AND (")
    told = ada.get("/search").text
    assert "The search can&#39;t be kept: the query ends too early" in told
    assert "Broken" not in told
