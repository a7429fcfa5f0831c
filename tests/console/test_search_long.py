"""SQL, jobs and exports: what of Search takes long or leaves the page."""

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Desks, Visitors
from tests.server_process import wait_until

pytestmark = pytest.mark.browser


def test_a_question_in_sql(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    desk.open("/search/sql?from=now-7d")
    page.get_by_role("link", name="Bytes out by hour and host").click()
    expect(page.locator("#sql")).to_have_value(
        r"SELECT time_bucket(INTERVAL 1 HOUR, time) AS hour, device_hostname,"
        "\n       sum(traffic_bytes_out) AS bytes_out\nFROM events\nWHERE traffic_bytes_out > 0\nGROUP BY ALL ORDER BY bytes_out DESC LIMIT 100"
    )
    expect(page.locator("#answer")).to_contain_text("rows")
    desk.ready()
    page.locator("#sql").fill("SELECT , count(*) AS n FROM events GROUP BY ALL ORDER BY n DESC")
    page.locator("#sql").evaluate("editor => editor.setSelectionRange(7, 7)")
    page.locator(".schema button", has_text="source").first.click()
    expect(page.locator("#sql")).to_have_value(
        "SELECT source, count(*) AS n FROM events GROUP BY ALL ORDER BY n DESC"
    )
    page.locator("#sql").focus()
    desk.press("Control+Enter")
    expect(page.locator("#answer table")).to_contain_text("okta")
    desk.look("search-sql")
    page.set_viewport_size({"width": 900, "height": 900})
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".schema").first).to_be_visible()
    desk.look("search-sql-narrow")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("button", name="Plan").click()
    expect(page.locator("#answer")).to_contain_text("Segments looked into")
    desk.look("search-sql-plan")
    desk.open("/search/sql?sql=select+user_nam+from+events")
    expect(page.locator("#answer [role=alert]")).to_contain_text("character 8")
    expect(page.locator(".sql-back mark")).to_have_text("user_nam")
    editor = page.locator("#sql")
    expect(editor).to_have_attribute("aria-invalid", "true")
    editor.fill("SELECT lenght(source) FROM events")
    expect(page.locator("#sql-check")).to_contain_text("did you mean length")
    expect(page.locator(".sql-back mark")).to_have_text("lenght")
    editor.fill("SELECT ")
    editor.press_sequentially("user_na")
    expect(page.locator("#completions li").first).to_contain_text("user_name")
    desk.press("Tab")
    expect(editor).to_have_value("SELECT user_name")
    editor.press_sequentially(" FROM events WHERE source = 'okt")
    expect(page.locator("#completions li").first).to_contain_text("okta'")
    desk.look("search-sql-completing")
    desk.press("ArrowDown")
    desk.press("Enter")
    expect(editor).to_have_value("SELECT user_name FROM events WHERE source = 'okta'")
    expect(page.locator(".sql-back mark")).to_have_count(0)
    desk.open("/search/sql?sql=select+*+from+read_text('/etc/passwd')")
    expect(page.locator("#answer [role=alert]")).to_contain_text("the only table is events")
    desk.look("search-sql-refused")
    desk.assert_quiet()


def test_a_search_runs_as_a_job(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    desk.open("/search?q=source:okta&from=now-7d")
    page.get_by_text("More", exact=True).click()
    page.get_by_role("button", name="Run as a job").click()
    expect(page.locator("#job [role=status]")).to_contain_text("Done")
    expect(page.locator("#job table.events tbody tr").first).to_be_visible()
    desk.look("search-job")
    desk.open("/search/jobs")
    expect(page.locator("table")).to_contain_text("source:okta")
    desk.look("search-jobs")
    page.get_by_role("button", name="Forget source:okta").click()
    expect(page.locator("#toasts")).to_contain_text("forgotten")
    desk.assert_quiet()


def test_sql_runs_as_a_job(living_visitors: Visitors) -> None:
    ada = living_visitors("ada.lind")
    asked = {"sql": "select source, count(*) as n from events group by all", "from": "now-7d"}
    place = ada.post("/search/jobs", **asked).headers["location"]
    wait_until(lambda: "every 1s" not in ada.get(place).text, "the statement to end")
    told = ada.get(place).text
    assert ">okta</td>" in told
    assert "CSV and NDJSON have these rows" in told
    rows = ada.get(f"{place}/export?kind=csv").text.splitlines()
    assert rows[0] == "source,n"
    again = ada.get("/search/sql/export", params={**asked, "kind": "csv"}).text.splitlines()
    assert {row.split(",")[0] for row in rows} == {row.split(",")[0] for row in again}
    assert ada.get(f"{place}/export?kind=parquet").status_code == 404
    assert "/search/sql/export?sql=select" in told
    assert "select source" in ada.get("/search/jobs").text
    ada.post("/search/jobs", sql="drop table events")
    assert "only reading is allowed" in ada.get("/search/jobs").text


def test_rows_of_sql_are_exported_without_formulas(living_visitors: Visitors) -> None:
    ada = living_visitors("ada.lind")
    asked = {"sql": "select '=1+1' as \"-x\", count(*) as n from events", "kind": "csv"}
    got = ada.get("/search/sql/export", params=asked)
    assert got.text.splitlines()[0] == "'-x,n"
    assert got.text.splitlines()[1].startswith("'=1+1,")
    lines = ada.get("/search/sql/export", params={**asked, "kind": "ndjson"}).text.splitlines()
    assert lines[0].startswith('{"-x":"=1+1","n":')
    packed = ada.get("/search/sql/export", params={**asked, "kind": "parquet"}).content
    assert packed[:4] == packed[-4:] == b"PAR1"
    refused = ada.get("/search/sql/export", params={"sql": "drop table events"})
    assert refused.status_code == 404
    assert "only reading is allowed" in refused.text


def test_the_jobs_of_others_are_not_seen(living_visitors: Visitors) -> None:
    ada, otto = living_visitors("ada.lind"), living_visitors("otto.berg")
    started = ada.post("/search/jobs", q="source:zeek", **{"from": "now-1h"})
    place = started.headers["location"]
    assert ada.get(place).status_code == 200
    assert otto.get(place).status_code == 404
    told = ada.post("/search/jobs", q="a AND (")
    assert told.status_code == 303
    assert "It was not started" in ada.get("/search/jobs").text


def test_a_search_becomes_a_draft_of_a_rule(desks: Desks) -> None:
    desk = desks()
    page = desk.page
    desk.open("/search?q=source:okta AND native.eventType:user.session.start&from=now-7d")
    for key in "jxjx":
        desk.press(key)
    expect(page.get_by_role("button", name="Draft a rule from 2 events")).to_be_visible()
    desk.look("search-picked")
    desk.press("d")
    expect(page.get_by_text("finds all 2 picked events")).to_be_visible()
    page.go_back()
    desk.ready()
    page.get_by_text("More", exact=True).click()
    page.get_by_role("link", name="Draft a rule").click()
    expect(page.get_by_text("picked events.")).to_be_visible()
    expect(page.get_by_role("note")).to_contain_text("source:okta")
    desk.ready()
    desk.look("rule-draft")
    page.get_by_role("checkbox").first.uncheck()
    page.get_by_role("button", name="Draft anew").click()
    expect(page.get_by_text("finds all 4 picked events")).to_be_visible()
    page.get_by_label("Title").fill("Sessions begin at Okta")
    page.get_by_role("button", name="Keep as a draft").click()
    expect(page.locator("#toasts")).to_contain_text("Kept as a draft")
    expect(page.locator("h1")).to_contain_text("Sessions begin at Okta")
    expect(page.locator("#main")).to_contain_text("Draft")
    desk.assert_quiet()


def test_a_draft_of_very_many_events_is_made_of_the_first(living_visitors: Visitors) -> None:
    picked = [("event", f"not-stored-{number}") for number in range(25)]
    told = living_visitors("ada.lind").get("/rules/draft", params=[*picked, ("q", "source:okta")])
    assert told.status_code == 200
    assert "The first 20 of the 25 events you picked" in told.text
