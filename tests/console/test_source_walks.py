"""Engineers and administrators with sources in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from tests.console.conftest import RESULTS, Desks
from tests.console.known_sources import DOOR

pytestmark = pytest.mark.browser


def test_sources_are_narrowed_opened_and_taken_apart_by_keyboard(desks: Desks) -> None:
    desk = desks("ebba.only")
    page = desk.page
    desk.open("/sources")
    everything = page.locator("tr[data-row]").count()
    expect(page.locator("tr[data-row]").first).to_contain_text("Silent")
    expect(page.locator("tr[data-row] + tr.whys").first).to_contain_text("fell silent")
    desk.press("/")
    page.keyboard.type("sshd")
    expect(page).to_have_url(re.compile("q=sshd"))
    expect(page.locator("tr[data-row]")).not_to_have_count(everything)
    desk.press("Escape")
    desk.press("j")
    desk.press("Enter")
    expect(page.get_by_text("Every record received is accounted for.")).to_be_visible()
    page.get_by_role("link", name="14 days").click()
    expect(page).to_have_url(re.compile("hours=336"))
    page.get_by_role("link", name="Samples").click()
    expect(page.get_by_role("heading", name="As it came")).to_be_visible()
    desk.press("j")
    desk.press("j")
    desk.press("Enter")
    expect(page).to_have_url(re.compile("event="))
    expect(page.locator("tr[aria-selected=true]")).to_have_count(1)
    desk.assert_quiet()


def test_a_record_of_the_quarantine_opens_beside_the_list(desks: Desks) -> None:
    desk = desks("ebba.only")
    page = desk.page
    desk.open("/sources/quarantine")
    desk.press("j")
    desk.press("Enter")
    expect(page.locator("#panel")).to_contain_text("As it came")
    expect(page).to_have_url(re.compile("open=unreadable-"))
    desk.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    desk.assert_quiet()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_wall_fits_one_screen_and_says_when_it_is_old(desks: Desks, theme: str) -> None:
    desk = desks("root.admin", theme=theme, width=1920, height=1080)
    page = desk.page
    desk.open("/health?every=1")
    expect(page.locator(".tile")).to_have_count(8)
    assert not page.evaluate(
        "[document.documentElement, ...document.querySelectorAll('.wall-rest > section, #wall')]"
        ".some(one => one.scrollHeight > one.clientHeight + 1)"
    )
    first = page.locator("#wall").get_attribute("data-made")
    expect(page.locator("#wall")).not_to_have_attribute("data-made", first or "")
    expect(page.locator("#lost")).to_be_hidden()
    page.context.set_offline(True)
    expect(page.locator("#lost")).to_contain_text("No connection to Tocsin")
    RESULTS.mkdir(exist_ok=True)
    page.screenshot(path=RESULTS / f"health-lost-{theme}.png")
    page.context.set_offline(False)
    expect(page.locator("#lost")).to_be_hidden()
    expected = ("ERR_INTERNET_DISCONNECTED", "htmx:afterRequest", "htmx:sendError")
    assert [one for one in desk.complaints if not any(told in one for told in expected)] == []


def test_an_owner_is_named_with_a_reason_and_stays_in_the_history(desks: Desks) -> None:
    desk = desks("ebba.only")
    page = desk.page
    desk.open(f"/sources/source?name={DOOR}")
    page.get_by_text("Name an owner…").click()
    page.locator("input[name=owner]").fill("otto.berg")
    page.locator("input[name=reason]").fill("runs the doors")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#toasts")).to_contain_text("is looked after by otto.berg")
    expect(page.get_by_role("region", name="The source")).to_contain_text(
        "otto.berg: runs the doors"
    )
    desk.assert_quiet()


def test_what_nobody_knows_leads_to_a_draft_to_finish(desks: Desks) -> None:
    desk = desks("ebba.only")
    page = desk.page
    desk.open(f"/sources/source?name={DOOR}")
    page.get_by_role("link", name="draft one").click()
    expect(page.get_by_label("The draft to finish")).to_contain_text("present: true")
    expect(page.get_by_text("@timestamp", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Try it on these records").click()
    expect(page.get_by_role("region", name="What it makes of them")).to_contain_text("recognized")
    page.get_by_role("button", name="Map it again").click()
    expect(page.locator("#toasts")).to_contain_text("0 recognized")
    desk.assert_quiet()
