"""Pages keep their shape: nothing stretches them, is cut off, or moves away under the pointer."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.console.conftest import Desks

pytestmark = pytest.mark.browser

LONG_LISTS = ("/search", "/sources", "/queue?tab=alerts", "/rules", "/storage")


def overflow(page: Page) -> list[int]:
    """How far the page itself could be scrolled to the right and down."""
    return page.evaluate(
        "() => { const root = document.documentElement;"
        " return [root.scrollWidth - root.clientWidth, root.scrollHeight - root.clientHeight] }"
    )


def test_only_the_list_scrolls_and_never_the_page(desks: Desks) -> None:
    desk = desks("root.admin")
    for width in (1440, 900):
        for path in LONG_LISTS:
            desk.begin("dark", width)
            desk.open(path)
            assert overflow(desk.page) == [0, 0], f"{path} at {width} px"


def is_within(page: Page, box: Locator) -> bool:
    """Whether all of the box is on the screen and nothing cuts it off."""
    return box.evaluate(
        """box => {
          const {left, right, top, bottom} = box.getBoundingClientRect();
          const frame = document.querySelector("main").getBoundingClientRect();
          return left >= frame.left && right <= frame.right && top >= 0 && bottom <= innerHeight;
        }"""
    )


@pytest.mark.parametrize("width", [900, 1440])
def test_what_drops_down_on_the_search_page_is_seen_whole(desks: Desks, width: int) -> None:
    desk = desks(width=width)
    page = desk.page
    desk.open("/search")
    for name in ("Last 24 hours", "Saved", "Export", "More"):
        summary = page.locator(".search-head summary", has_text=name)
        summary.click()
        box = page.locator(".search-head details[open] .drop-box")
        expect(box).to_be_visible()
        assert is_within(page, box), name
        page.keyboard.press("Escape")
        expect(box).to_be_hidden()


@pytest.mark.parametrize("path", ["/search", "/search?split=source"])
def test_pointing_at_a_bar_moves_nothing(desks: Desks, path: str) -> None:
    desk = desks(width=900)
    page = desk.page
    desk.open(path)
    if "split" in path:
        expect(page.locator(".legends")).to_be_visible()
    lists = page.locator(".events")
    before = lists.bounding_box()
    page.locator(".histogram .chart svg").hover()
    expect(page.locator("[data-brush-label]")).not_to_be_empty()
    assert lists.bounding_box() == before


def test_the_list_of_sources_fits_a_narrow_window(desks: Desks) -> None:
    desk = desks(width=900)
    page = desk.page
    desk.open("/sources")
    region = page.get_by_role("region", name="List of sources")
    assert region.evaluate("box => box.scrollWidth - box.clientWidth") <= 0
    told = page.locator("tr.whys").first
    expect(told).to_contain_text(":")
    wide, whole = told.locator("p").first.bounding_box(), region.bounding_box()
    assert wide is not None
    assert whole is not None
    assert wide["width"] > 0.85 * whole["width"]


def test_the_name_of_a_source_in_trouble_is_read_whole_on_the_wall(desks: Desks) -> None:
    desk = desks("root.admin", width=1920, height=1080)
    page = desk.page
    desk.open("/health")
    if page.locator(".wall-troubles .more").count():
        expect(page.locator(".wall-troubles .more")).to_be_in_viewport(ratio=1)
    expect(page.locator(".wall-troubles li").last).to_be_in_viewport(ratio=1)
    sick = page.locator(".wall-sources :is(.bad, .warn) .cell-name")
    expect(sick.first).to_be_visible()
    for name in sick.all():
        assert name.evaluate("one => one.scrollWidth - one.clientWidth") <= 0, name.inner_text()


def test_a_list_keeps_its_width_below_an_open_panel(desks: Desks) -> None:
    desk = desks(width=900)
    page = desk.page
    desk.open("/sources/quarantine")
    region = page.locator("#list")
    before = region.bounding_box()
    desk.press("j")
    desk.press("Enter")
    expect(page.locator("#panel pre")).to_be_visible()
    assert region.bounding_box() == before


def test_a_number_that_is_none_is_told_in_the_form_that_stays_open(desks: Desks) -> None:
    desk = desks("root.admin")
    page = desk.page
    desk.open("/storage")
    page.locator("summary", has_text="Add a rule").click()
    form = page.locator("details[open] form.drop-box")
    form.get_by_label("Name").fill("a mistake")
    days = form.get_by_label("Keep for days")
    days.fill("-5")
    page.get_by_role("button", name="See what would go").click()
    expect(days).to_be_focused()
    expect(days).to_have_value("-5")
    assert days.evaluate("one => one.validity.patternMismatch")
    days.fill("90")
    page.get_by_role("button", name="See what would go").click()
    expect(page.get_by_role("button", name="Put in force")).to_be_visible()
    desk.assert_quiet()


def test_the_row_of_an_open_record_stays_marked_in_each_of_its_forms(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    desk.open("/search?q=source:windows")
    desk.press("j")
    desk.press("Enter")
    marked = page.locator('tr[data-row][aria-selected="true"]')
    expect(marked).to_have_count(1)
    row = marked.get_attribute("id")
    panel = page.locator("#panel")
    for form in ("Native", "JSON", "Around it", "OCSF"):
        panel.get_by_role("link", name=form, exact=True).click()
        current = panel.get_by_role("navigation", name="Forms of the record")
        expect(current.locator("[aria-current]")).to_have_text(form)
        expect(marked).to_have_count(1)
        assert marked.get_attribute("id") == row
    numbered = panel.locator("dt", has_text="class_uid").locator("xpath=following-sibling::dd[1]")
    expect(numbered).to_contain_text(re.compile(r"\d+ \w+"))
    desk.assert_quiet()


def test_settings_of_a_sender_and_its_token_are_copied_by_a_click(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    desk.open("/sources/add?sender=fluent-bit")
    page.get_by_label("Name").fill("copied")
    page.get_by_role("button", name="Make a token").click()
    desk.ready()
    token = page.locator("#token").inner_text()
    button = page.get_by_role("button", name="Copy the token")
    button.click()
    expect(button.or_(page.get_by_role("button", name="Copied"))).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == token
    page.locator(".copied").first.get_by_role("button").click()
    expect(page.locator(".copied").first.get_by_role("button")).to_have_text("Copied")
    settings = page.evaluate("navigator.clipboard.readText()")
    assert token in settings
    assert settings.startswith("pipeline:")
    desk.look("source-add-copied")
    desk.assert_quiet()
