"""The administrator keeps events for so long, and holds some, in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Desks

pytestmark = pytest.mark.browser


def test_a_rule_is_looked_at_before_it_is_in_force_and_a_hold_is_placed_and_lifted(
    desks: Desks,
) -> None:
    desk = desks("root.admin")
    page = desk.page
    desk.open("/queue")
    desk.press("g")
    desk.press("d")
    expect(page).to_have_url(re.compile("/storage$"))
    expect(page.locator("svg.disk")).to_be_visible()
    page.get_by_text("Add a rule…").click()
    box = page.locator("details[open] form")
    box.get_by_label("Name").fill("walk")
    box.get_by_label(re.compile("Sources")).fill("nothing/*")
    box.get_by_label(re.compile("Keep for days")).fill("3650")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It would delete nothing now.")).to_be_visible()
    desk.look("storage-preview")
    page.get_by_role("button", name="Put in force").click()
    expect(page.locator("#rules")).to_contain_text("nothing/*: 3650 days")
    page.get_by_text("Hold…").click()
    box = page.locator("details[open] form")
    box.get_by_label("Name").fill("Walk 17")
    box.get_by_label("Why", exact=True).fill("a court asked")
    box.get_by_label(re.compile("Sources")).fill("nothing/*")
    box.get_by_role("button", name="Hold").click()
    expect(page.locator("#holds")).to_contain_text("nothing/*, all times")
    page.get_by_text("Lift…").click()
    page.get_by_label("Why it ends").fill("the court is done")
    page.get_by_role("button", name="Lift Walk 17").click()
    expect(page.locator("#holds")).to_contain_text("the court is done")
    desk.look("storage-rules")
    page.get_by_role("button", name="Remove…").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.locator("#rules")).not_to_contain_text("walk")
    desk.assert_quiet()
