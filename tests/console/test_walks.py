"""People at work in a real browser: by keyboard, by mouse, and without JavaScript."""

import re
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import Desks, Served
from tests.console.living import PASSWORD, plant_alert
from tocsin.model.alert import Alert, AlertStatus
from tocsin.model.response import ApprovalStatus, LeaseStatus

pytestmark = pytest.mark.browser


def alert_now(served: Served, alert: Alert) -> Alert:
    with served.living.house.state.read() as tx:
        found = served.living.house.alerts.get(tx, alert.id)
    assert found is not None
    return found


def asked(page: Page, name: str) -> str:
    return _asked_by(page.url, name)


def wait_asked(page: Page, name: str, value: str) -> None:
    """Wait until the address asks for this value: a press or a click is answered a moment later."""
    page.wait_for_url(lambda url: _asked_by(url, name) == value)


def _asked_by(url: str, name: str) -> str:
    return parse_qs(urlparse(url).query).get(name, [""])[0]


def test_signing_in_opens_the_queue(desks: Desks) -> None:
    desk = desks("")
    desk.open("/queue")
    desk.page.get_by_label("Name").fill("mira.kask")
    desk.page.get_by_label("Password").fill(PASSWORD)
    desk.press("Enter")
    expect(desk.page.get_by_role("heading", name="Queue")).to_be_visible()
    desk.assert_quiet()


def test_the_queue_is_walked_by_keyboard(desks: Desks) -> None:
    desk = desks()
    desk.open("/queue?tab=alerts")
    page = desk.page
    first, second = (page.locator("tr[data-row]").nth(place) for place in (0, 1))
    desk.press("j")
    expect(first.locator("a.row-link")).to_be_focused()
    desk.press("Enter")
    expect(page.locator("#panel h2")).to_have_text(first.locator("a.row-link").inner_text())
    expect(first).to_have_attribute("aria-selected", "true")
    page.wait_for_url(lambda url: _asked_by(url, "alert") != "")
    before = asked(page, "alert")
    desk.press("j")
    expect(page.locator("#panel h2")).to_have_text(second.locator("a.row-link").inner_text())
    expect(second).to_have_attribute("aria-selected", "true")
    page.wait_for_url(lambda url: _asked_by(url, "alert") not in ("", before))
    opened = asked(page, "alert")
    page.reload()
    expect(page.locator("#panel h2")).to_be_visible()
    wait_asked(page, "alert", opened)
    desk.press("Escape")
    expect(page.locator("#panel h2")).to_have_count(0)
    wait_asked(page, "alert", "")
    desk.press("/")
    expect(page.locator("#filter")).to_be_focused()
    desk.assert_quiet()


def test_an_alert_is_taken_on_and_closed_with_its_letters(desks: Desks, served: Served) -> None:
    alert = plant_alert(served.living.house, "Walked through by letters")
    desk = desks()
    desk.open("/queue?tab=alerts&q=walked+letters")
    page = desk.page
    desk.press("j")
    desk.press("Enter")
    expect(page.locator("#panel h2")).to_have_text(alert.rule_title)
    desk.press("a")
    expect(page.locator("#toasts")).to_contain_text("Acknowledged")
    expect(page.locator("#panel .state").first).to_have_text("Acknowledged")
    assert alert_now(served, alert).assignee == "ada.lind"
    desk.press("c")
    page.get_by_role("radio", name="Benign true positive").check()
    page.locator("#panel").get_by_label("Reason").fill("an administrator at work")
    page.get_by_role("button", name="Close alert").click()
    expect(page.locator("#toasts")).to_contain_text("Closed")
    closed = alert_now(served, alert)
    assert closed.disposition is not None
    assert (closed.status.value, closed.disposition.value) == ("closed", "benign_true_positive")
    assert closed.reason == "an administrator at work"
    desk.assert_quiet()


def test_many_alerts_are_closed_at_once(desks: Desks, served: Served) -> None:
    alerts = [
        plant_alert(served.living.house, f"Closed together {n}", host=f"pc-{n}") for n in range(60)
    ]
    desk = desks()
    desk.open("/queue?tab=alerts&q=closed+together")
    page = desk.page
    expect(page.locator("tr[data-row]")).to_have_count(50)
    desk.press("j")
    desk.press("x")
    expect(page.locator("[data-marked]")).to_have_text("1 marked")
    page.get_by_label("all 60 that match").check()
    desk.press("c")
    page.locator(".bulk").get_by_label("Reason").fill("a test run of the scanner")
    page.get_by_role("button", name="Close alerts").click()
    expect(page.locator("#toasts")).to_contain_text("Closed 60 alerts")
    assert {alert_now(served, alert).status.value for alert in alerts} == {"closed"}
    desk.assert_quiet()


def test_a_bulk_close_without_a_reason_is_refused(desks: Desks, served: Served) -> None:
    alert = plant_alert(served.living.house, "Never closed silently")
    desk = desks()
    desk.open("/queue?tab=alerts&q=never+silently")
    desk.press("j")
    desk.press("x")
    desk.press("c")
    desk.page.get_by_role("button", name="Close alerts").click()
    expect(desk.page.locator("#toasts")).to_contain_text("Please give the reason")
    assert alert_now(served, alert).status.value == "new"


def test_marked_alerts_become_a_case_that_is_worked_on(desks: Desks, served: Served) -> None:
    alert = plant_alert(served.living.house, "Escalated by letter")
    desk = desks()
    page = desk.page
    desk.open("/queue?tab=alerts&q=escalated")
    desk.press("j")
    desk.press("x")
    desk.press("e")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Escalated by letter")
    page.get_by_role("textbox", name="Note").fill("Seen on one host only <b>so far</b>")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator(".timeline")).to_contain_text("Seen on one host only <b>so far</b>")
    page.get_by_text("Task", exact=True).click()
    page.get_by_label("What is to be done").fill("Call the user")
    page.get_by_role("button", name="Set task").click()
    page.get_by_role("button", name="Mark done: Call the user").click()
    expect(page.locator(".tasks")).to_contain_text("done by ada.lind")
    page.get_by_role("button", name="Start investigating").click()
    expect(page.locator(".facts .state").first).to_have_text("Investigating")
    page.get_by_text("Close case…").click()
    page.get_by_label("Reason").fill("the user was testing")
    page.get_by_role("button", name="Close case", exact=True).click()
    expect(page.locator(".facts .state").first).to_have_text("Closed")
    assert alert_now(served, alert).case_id in page.url
    desk.assert_quiet()


def test_a_search_is_refined_from_the_side_bar_and_the_histogram(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    desk.open("/search")
    total = _count(page)
    page.get_by_label("Only syslog/nh-jump01").click()
    wait_asked(page, "q", 'source:"syslog/nh-jump01"')
    narrowed = _count(page)
    assert 0 < narrowed < total
    chart = page.locator(".chart svg")
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 40, steps=4)
    with page.expect_navigation():
        page.mouse.up()
    assert asked(page, "from").endswith("Z")
    assert asked(page, "from") < asked(page, "to")
    assert 0 < _count(page) < narrowed
    page.go_back()
    assert _count(page) == narrowed
    desk.press("b")
    page.locator(".split-by").get_by_role("link", name="User").click()
    wait_asked(page, "split", "user.name")
    expect(page.locator(".legends li").first).to_be_visible()
    desk.ready()
    page.get_by_text("Table", exact=True).click()
    expect(page.locator(".over-time tbody tr")).to_have_count(page.locator("[data-bar]").count())
    desk.look("search-split")
    desk.press("Escape")
    expect(page.locator(".over-time")).not_to_be_visible()
    desk.assert_quiet()


def test_the_histogram_is_brushed_by_keyboard(desks: Desks) -> None:
    desk = desks()
    desk.open("/search")
    desk.page.locator("[data-histogram]").focus()
    for key in ("ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft"):
        desk.press(key)
    with desk.page.expect_navigation():
        desk.press("Enter")
    assert asked(desk.page, "from") < asked(desk.page, "to")
    desk.assert_quiet()


def test_a_wrong_query_is_marked_under_the_wrong_part(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    desk.open("/search")
    desk.press("/")
    page.keyboard.type("dst_port:[1 TO x]")
    told = page.locator("#query-check .fault")
    expect(told).to_contain_text("this field holds numbers and 'x' is none (x, character 16)")
    expect(page.locator("#q")).to_have_attribute("aria-invalid", "true")
    desk.look("search-fault-typed")
    page.locator("#q").fill("dst_port:[1 TO 5]")
    expect(told).to_have_count(0)
    expect(page.locator("#q")).to_have_attribute("aria-invalid", "false")
    page.locator("#q").fill("user:alice AND (host:")
    expect(told).to_have_class("fault unfinished")
    desk.press("Escape")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    caret = page.locator(".wave").bounding_box()
    field = page.locator("#q").bounding_box()
    assert caret is not None
    assert field is not None
    assert caret["y"] >= field["y"] + field["height"] - 4
    assert field["x"] < caret["x"] < field["x"] + field["width"]
    expect(page.locator("#q")).to_have_value("user:alice AND (host:")
    desk.assert_quiet()


def test_field_names_and_values_are_completed(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    desk.open("/search")
    desk.press("/")
    page.keyboard.type("sour")
    expect(page.locator("#completions li").first).to_contain_text("source")
    desk.press("ArrowDown")
    desk.press("Enter")
    expect(page.locator("#q")).to_have_value("source:")
    page.keyboard.type("zee")
    expect(page.locator("#completions li").first).to_contain_text("zeek")
    desk.press("Tab")
    expect(page.locator("#q")).to_have_value("source:zeek ")
    desk.assert_quiet()


def test_a_record_is_read_in_its_three_forms(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    desk.open("/search?q=source:zeek")
    desk.press("j")
    desk.press("Enter")
    expect(page.locator("#panel .record-fields")).to_contain_text("class_uid")
    page.locator("#panel").get_by_role("link", name="Native").click()
    expect(page.locator("#panel .record-fields")).to_contain_text("id.orig_h")
    page.locator("#panel").get_by_role("link", name="Raw").click()
    expect(page.locator("#panel pre")).to_be_visible()
    wait_asked(page, "view", "raw")
    desk.assert_quiet()


def test_a_search_is_exported(desks: Desks) -> None:
    desk = desks()
    desk.open("/search?q=source:okta")
    total = _count(desk.page)
    desk.page.get_by_text("Export").click()
    with desk.page.expect_download() as download:
        desk.page.get_by_text("NDJSON, every field").click()
    exported = len(download.value.path().read_bytes().splitlines())
    desk.open("/search?q=source:okta")
    assert total >= exported >= _count(desk.page) > 0, "the last day's window moves on meanwhile"
    desk.page.get_by_text("Export").click()
    with desk.page.expect_download() as download:
        desk.page.get_by_text("CSV, main columns").click()
    assert download.value.path().read_text().startswith("time,event_id,source")


def test_operations_decides_what_another_asked_for(desks: Desks, served: Served) -> None:
    house = served.living.house
    alert = plant_alert(house, "Contained on request")
    ada = desks()
    ada.open(f"/alerts/{alert.id}")
    ada.page.get_by_text("Contain…").click()
    ada.page.get_by_role("button", name="Ask to contain").click()
    expect(ada.page.get_by_role("heading", level=1)).to_contain_text("Contain an address")
    expect(ada.page.locator(".rail")).to_contain_text("Pending")
    run_id = ada.page.url.rsplit("/", 1)[1]
    with house.state.read() as tx:
        approval = house.response.approvals(tx, run_id=run_id).items[0]
    ada.open(f"/approvals?open={approval.id}")
    expect(ada.page.locator("#panel")).to_contain_text("Your roles don't include approving")
    otto = desks("otto.berg")
    otto.open(f"/approvals?open={approval.id}")
    expect(otto.page.locator("#panel")).to_contain_text("What it would touch")
    otto.page.get_by_label("Reason").fill("no service of ours is behind it")
    otto.page.get_by_role("button", name="Approve").click()
    expect(otto.page.locator("#toasts")).to_contain_text("Approved")
    expect(otto.page.locator("#panel")).to_contain_text("signature holds")
    ada.open(f"/runs/{run_id}")
    expect(ada.page.locator(".rail")).to_contain_text("Active")
    with house.state.read() as tx:
        assert house.response.leases(tx, run_id=run_id).items[0].status is LeaseStatus.ACTIVE
        decided = house.response.approval(tx, approval.id)
    assert decided is not None
    assert decided.status is ApprovalStatus.APPROVED
    otto.page.goto(f"{otto.url}/leases")
    otto.page.get_by_role("link", name="203.0.113.250").first.click()
    otto.page.get_by_label("Reason").fill("the owner called")
    otto.page.get_by_role("button", name="Undo now").click()
    expect(otto.page.locator("#toasts")).to_contain_text("being undone")
    ada.assert_quiet()
    otto.assert_quiet()


def test_sources_and_quarantine_tell_what_is_wrong(desks: Desks) -> None:
    desk = desks("otto.berg")
    desk.open("/sources")
    expect(desk.page.locator("tr[data-row]").first).to_contain_text("Silent")
    desk.page.get_by_role("link", name="Quarantine").click()
    expect(desk.page.locator("tbody tr").first).to_be_visible()
    assert desk.page.locator("td.reason").first.inner_text()
    desk.assert_quiet()


def test_rules_are_found_and_read(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    desk.open("/rules")
    desk.press("/")
    page.keyboard.type("comsvcs")
    expect(page.locator("tr[data-row]")).to_have_count(1)
    wait_asked(page, "q", "comsvcs")
    desk.press("Escape")
    desk.press("j")
    desk.press("Enter")
    page.get_by_role("link", name="Text").click()
    expect(page.locator(".yaml")).to_contain_text("detection:")
    desk.assert_quiet()


def test_the_palette_leads_anywhere(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    desk.open("/queue")
    desk.press("Control+k")
    page.keyboard.type("nh-jump01")
    expect(page.locator(".palette-item").first).to_contain_text("nh-jump01")
    desk.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("nh-jump01")
    desk.ready()
    desk.press("g")
    desk.press("l")
    expect(page.get_by_role("heading", level=1)).to_have_text("Leases")
    desk.assert_quiet()


def test_new_alerts_are_told_but_the_list_stays(desks: Desks, served: Served) -> None:
    desk = desks()
    page = desk.page
    desk.open("/queue?tab=alerts")
    before = page.locator("a.row-link").all_inner_texts()
    plant_alert(served.living.house, "Came in while one looked")
    page.evaluate(
        "htmx.trigger('#counters', 'every 10s'); htmx.ajax('GET', '/counters?known=' + document.querySelector('#news').dataset.known, {swap: 'none'})"
    )
    expect(page.locator("#news")).to_contain_text("new alert")
    assert page.locator("a.row-link").all_inner_texts() == before


def test_theme_density_and_zone_are_remembered(desks: Desks) -> None:
    desk = desks("mira.kask")
    page = desk.page
    desk.open("/queue")
    for button in ("Dark", "Compact", "Local"):
        page.locator(".who").click()
        page.get_by_role("button", name=button, exact=True).click()
        page.wait_for_load_state()
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    expect(root).to_have_attribute("data-density", "compact")
    expect(root).to_have_attribute("data-zone", "local")
    desk.assert_quiet()


def test_everything_needed_works_without_scripts(desks: Desks, served: Served) -> None:
    alert = plant_alert(served.living.house, "Worked on without scripts")
    desk = desks(script=False)
    page = desk.page
    desk.open("/queue?tab=alerts&q=without+scripts")
    page.locator("a.row-link").first.click()
    page.get_by_role("button", name=re.compile("Acknowledge")).first.click()
    expect(page.locator("#toasts")).to_contain_text("Acknowledged")
    assert alert_now(served, alert).status.value == "acknowledged"
    page.locator("summary", has_text="Close…").last.click()
    page.get_by_role("radio", name="False positive").check()
    page.locator("#panel").get_by_label("Reason").fill("known tool")
    page.get_by_role("button", name="Close alert", exact=True).click()
    assert alert_now(served, alert).status.value == "closed"


def _count(page: Page) -> int:
    return int(page.locator("figcaption strong").inner_text().replace(",", ""))


def test_a_closed_alert_is_opened_again(desks: Desks, served: Served) -> None:
    house = served.living.house
    alert = plant_alert(house, "Closed too early")
    with house.state.begin() as tx:
        house.alerts.change(
            tx,
            [alert.id],
            status=AlertStatus.CLOSED,
            reason="hasty",
            by="ada.lind",
            now=datetime.now(UTC),
        )
    desk = desks()
    desk.open(f"/alerts/{alert.id}")
    expect(desk.page.locator(".story-head")).to_contain_text("hasty")
    desk.page.get_by_text("Open again…").click()
    desk.page.get_by_label("Reason").fill("it came back")
    desk.page.get_by_role("button", name="Open again", exact=True).click()
    expect(desk.page.locator("#toasts")).to_contain_text("Open again")
    assert alert_now(served, alert).status is AlertStatus.NEW
    expect(desk.page.get_by_label("History")).to_contain_text("ada.lind")
    desk.assert_quiet()
