"""Search: fields, columns, zones, what is around a record, where values lead, and what comes in."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.console.conftest import Desks

pytestmark = pytest.mark.browser


def test_columns_order_and_zone_are_chosen_and_stand_in_the_address(desks: Desks) -> None:
    desk = desks(theme="dark")
    page = desk.page
    desk.open("/search?q=source:windows&from=now-7d")
    expect(page.locator(".all-fields")).to_contain_text("class_uid")
    desk.press("f")
    page.keyboard.type("native.eventid")
    listed = page.locator("[data-field-list] details.side-field:visible")
    expect(listed).to_have_count(1)
    listed.locator("summary").first.click()
    expect(listed).to_contain_text("%")
    listed.get_by_text("Statistics").click()
    expect(listed.locator("dl")).to_contain_text("Median")
    listed.get_by_role("link", name="Add column").click()
    page.wait_for_url("**cols=**")
    assert asked(page)["cols"] == "source,host,user,native.EventID,event"
    expect(page.locator(".events thead")).to_contain_text("native.EventID")
    desk.ready()
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("link", name="Move native.EventID left").click()
    page.wait_for_url("**native.EventID%2Cuser**")
    page.get_by_role("link", name="newest first").click()
    page.wait_for_url("**sort=oldest**")
    first, second = (page.locator(".events tbody time").nth(at) for at in (0, 1))
    assert str(first.get_attribute("datetime")) <= str(second.get_attribute("datetime"))
    utc = first.inner_text()
    desk.press("t")
    page.get_by_label("Zone").fill("Asia/Tokyo")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**tz=Asia**")
    expect(first).not_to_have_text(utc)
    assert asked(page)["cols"] == "source,host,native.EventID,user,event"
    expect(page.locator("[data-copy-link]")).to_have_attribute(
        "data-copy-link", re.compile(r"from=\d.*to=\d.*Z")
    )
    desk.look("search-columns")
    page.set_viewport_size({"width": 900, "height": 900})
    desk.look("search-columns-narrow")
    desk.assert_quiet()


def test_a_narrow_list_tells_whom_an_event_is_about_and_not_where_from(desks: Desks) -> None:
    desk = desks(width=900)
    page = desk.page
    desk.open("/search?q=user:*")
    heads = page.locator("table.events thead")
    expect(heads.get_by_text("User", exact=True)).to_be_visible()
    expect(heads.get_by_text("Host", exact=True)).to_be_visible()
    expect(heads.get_by_text("Source", exact=True)).to_be_hidden()
    first = page.locator("[data-row] td.whom:visible").last
    expect(first).to_have_attribute("title", re.compile("."))
    desk.look("search-narrow")
    page.set_viewport_size({"width": 760, "height": 900})
    expect(heads.get_by_text("User", exact=True)).to_be_hidden()
    desk.assert_quiet()


def test_a_record_leads_to_what_is_around_it_and_a_value_to_more(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    desk.open("/search?q=source:windows")
    desk.press("j")
    desk.press("Enter")
    panel = page.locator("#panel")
    panel.get_by_role("link", name="JSON").click()
    expect(panel.locator("pre")).to_contain_text('"event_id"')
    panel.get_by_role("button", name="Copy", exact=True).click()
    expect(panel.locator("[data-copy-label]", has_text="opied")).to_be_visible()
    panel.get_by_role("link", name="Around it", exact=True).click()
    expect(panel.locator(".around [aria-current]")).to_be_visible()
    panel.get_by_role("link", name="Everything").click()
    page.wait_for_url("**around=all.5**")
    panel.get_by_role("link", name="15 min").click()
    page.wait_for_url("**around=all.15**")
    expect(panel.locator(".around li").nth(1)).to_be_visible()
    desk.look("search-around")
    panel.get_by_role("link", name="OCSF").click()
    panel.get_by_label("Where this value of device.hostname leads").click()
    expect(panel.get_by_role("link", name="Page of")).to_be_visible()
    desk.look("search-pivots")
    page.set_viewport_size({"width": 900, "height": 900})
    above, below = page.locator("[data-event-list]").bounding_box(), panel.bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] + above["height"] <= below["y"] + 1, "the record stands below the list"
    desk.look("search-record-narrow")
    page.set_viewport_size({"width": 1440, "height": 900})
    panel.get_by_role("link", name="Search this value alone").click()
    page.wait_for_url("**q=device.hostname**")
    expect(page.locator(".events tbody tr").first).to_be_visible()
    desk.assert_quiet()


def test_a_search_that_finds_nothing_says_which_part_does(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    desk.open("/search?q=source:windows+AND+user:nobody-of-ours&from=now-7d")
    parts = page.locator(".why-parts tr")
    expect(parts).to_have_count(2)
    expect(parts.nth(1)).to_have_class("none")
    expect(page.locator(".why")).to_contain_text("Nothing in all time either")
    desk.look("search-empty")
    parts.nth(1).get_by_role("link", name="Search without it").click()
    expect(page.locator(".events tbody tr").first).to_be_visible()
    assert asked(page)["q"] == "source:windows"
    desk.assert_quiet()


def test_what_comes_in_is_shown_on_top_until_one_reads_below(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    came: list[str] = []

    def answer(route: Route) -> None:
        name = f"came-{len(came)}"
        came.append(parse_qs(urlsplit(route.request.url).query)["after"][0])
        row = f'<tr data-row id="row-{name}"><td><a class="row-link" href="/search">{name}</a></td></tr>'
        mark = f"2026-01-01T00:00:0{len(came)}Z"
        body = f'<table><tbody data-mark="{mark}" data-skipped="7">{row}</tbody></table>'
        route.fulfill(content_type="text/html", body=body)

    page.route("**/search/tail*", answer)
    desk.open("/search?from=now-7d")
    desk.press("l")
    page.wait_for_url("**live=1**")
    expect(page.locator("#row-came-1")).to_be_visible()
    assert came[1] == "2026-01-01T00:00:01Z", "it asks for what came after what it has"
    expect(page.locator("[data-live-state]")).to_contain_text("more were too many to show")
    assert str(page.locator("[data-live-rows] tr").first.get_attribute("id")).startswith("row-came")
    desk.look("search-live")
    page.locator("[data-event-list]").evaluate("list => { list.scrollTop = 200 }")
    expect(page.locator("[data-live-state]")).to_contain_text("Waiting while you read")
    page.locator("[data-event-list]").evaluate("list => { list.scrollTop = 0 }")
    expect(page.locator("[data-live-state]")).to_contain_text("came in")
    desk.press("p")
    expect(page.locator("[data-live-state]")).to_have_text("Paused.")
    page.get_by_role("link", name="Stop").click()
    expect(page.locator("[data-live]")).to_have_count(0)
    assert "live" not in asked(page)
    desk.assert_quiet()


def test_the_query_is_completed_from_the_keyboard(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    desk.open("/search?q=source:zeek&from=now-7d")
    expect(page.locator("[data-lanes]")).to_be_attached()
    desk.press("/")
    desk.press("End")
    page.keyboard.type(" ")
    desk.press("Control+Space")
    options = page.locator("#completions li")
    expect(options.first).to_contain_text("AND")
    desk.press("Tab")
    page.keyboard.type("native.id.orig")
    expect(options.first).to_contain_text("native.id.orig_")
    desk.press("Tab")
    expect(page.locator("#q")).to_have_value("source:zeek AND native.id.orig_h:")
    expect(options.nth(1)).to_be_visible()
    page.locator("#q").fill('source:"syslog/')
    expect(options.first).to_contain_text("syslog/")
    desk.press("ArrowDown")
    desk.press("Enter")
    assert str(page.locator("#q").input_value()).startswith('source:"syslog/nh-')
    desk.assert_quiet()


def asked(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
