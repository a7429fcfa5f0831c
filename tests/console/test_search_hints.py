"""Search: a filter that reads otherwise than it was meant is told, and corrected by one click."""

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Desks

pytestmark = pytest.mark.browser


def test_small_letters_and_equals_signs_are_told_and_corrected_by_one_click(desks: Desks) -> None:
    desk = desks(theme="dark")
    page = desk.page
    desk.open("/search?q=source = windows and user:*&from=now-7d")
    told = page.locator("#query-hints")
    expect(told).to_contain_text("“and” is a word to look for")
    expect(told).to_contain_text("“source =” is text to look for")
    expect(page.locator(".empty")).to_contain_text("No event matches")
    desk.look("search-hint")
    page.set_viewport_size({"width": 900, "height": 900})
    desk.look("search-hint-narrow")
    told.get_by_role("link", name="source:windows AND user:*").click()
    expect(page.locator(".events tbody tr").first).to_be_visible()
    expect(page.locator("#q")).to_have_value("source:windows AND user:*")
    expect(page.get_by_title("Time range and zone")).to_contain_text("Last 7 days")
    expect(page.locator("#query-hints")).to_have_count(0)
    desk.assert_quiet()


def test_a_hint_stands_under_the_filter_while_it_is_typed(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    desk.open("/search?q=a or b&from=now-7d")
    expect(page.locator("#query-hints")).to_be_visible()
    page.locator("#q").fill("user = root")
    told = page.locator("#query-check")
    expect(told).to_contain_text("a value stands after a colon")
    expect(page.locator("#query-hints")).to_have_count(0)
    told.get_by_role("link", name="user:root").click()
    expect(page.locator("#q")).to_have_value("user:root")
    expect(page.get_by_title("Time range and zone")).to_contain_text("Last 7 days")
    desk.ready()
    page.locator("#q").fill("user:root AND x")
    expect(page.locator("#query-check")).to_be_empty()
    desk.assert_quiet()


def test_a_native_field_of_several_spellings_says_which_it_finds(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    desk.open("/search?q=native.parentimage:*")
    told = page.locator("#query-hints")
    expect(told).to_contain_text(
        "no source writes native.parentimage; this finds “native.ParentImage”"
    )
    found = page.locator(".histogram figcaption strong").inner_text()
    told.get_by_role("link", name="native.ParentImage:*").click()
    expect(page.locator("#q")).to_have_value("native.ParentImage:*")
    expect(page.locator(".histogram figcaption strong")).to_have_text(found)
    expect(page.locator("#query-hints")).to_have_count(0)
    desk.assert_quiet()


def test_what_joins_is_completed_from_small_letters(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    desk.open("/search")
    desk.press("/")
    page.keyboard.type("source:windows an")
    expect(page.locator("#completions [role=option]").first).to_contain_text("AND")
    page.keyboard.press("Tab")
    expect(page.locator("#q")).to_have_value("source:windows AND ")
    desk.assert_quiet()
