"""Engineers at work on rules in a real browser: by keyboard, and with reasons."""

import re
import uuid
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Desks, Served
from tests.detect.rule_texts import rule_text

pytestmark = pytest.mark.browser


def test_rules_are_moved_by_keyboard_and_one_goes_back(desks: Desks, served: Served) -> None:
    desk = desks("ebba.only")
    page = desk.page
    desk.open("/rules?q=pod+mounts+sensitive")
    expect(page.locator("tr[data-row]")).to_have_count(1)
    desk.press("j")
    desk.press("x")
    desk.press("s")
    page.locator(".bulk").get_by_label("Move to").select_option("staging")
    page.locator(".bulk").get_by_label("Reason").fill("seen how loud it is first")
    page.get_by_role("button", name="Move rules").click()
    expect(page.locator("#toasts")).to_contain_text("1 rule is staging now")
    expect(page.locator("tr[data-row] .life-staging")).to_be_visible()
    page.locator("a.row-link").click()
    expect(page.locator(".notice", has_text="pages nobody")).to_be_visible()
    page.get_by_role("link", name="History").click()
    expect(page.locator(".versions")).to_contain_text("seen how loud it is first")
    desk.press("s")
    box = page.locator(".head details[open]")
    box.get_by_label("Move to").select_option("active")
    box.get_by_label("Reason").fill("quiet enough")
    page.get_by_role("button", name="Move rule", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("1 rule is active now")
    (rule,) = [one for one in served.living.house.rules() if one.title.startswith("Pod mounts")]
    assert served.living.house.rule_book.life(rule.id).state.value == "active"
    desk.assert_quiet()


def test_findings_are_counted_after_the_first_rows(desks: Desks) -> None:
    desk = desks("ebba.only")
    page = desk.page
    desk.open("/rules?q=directory+database+is+being+made")
    expect(page.locator(".spark-cell svg")).to_be_visible()
    expect(page.locator(".spark-cell .num")).to_have_text("1")
    page.get_by_role("link", name="Looks at").click()
    expect(page).to_have_url(re.compile("sort=looks-at"))
    desk.assert_quiet()


def test_a_rule_is_tried_and_explained_on_its_page(desks: Desks) -> None:
    desk = desks("ebba.only")
    page = desk.page
    desk.open("/rules?q=directory+database+is+being+made")
    page.locator("a.row-link").click()
    expect(page.get_by_text("Can match.", exact=True)).to_be_visible()
    page.get_by_role("link", name="Tests").click()
    page.get_by_role("button", name="Run tests").click()
    expect(page.locator("#tests")).to_contain_text("All 2 passed")
    page.get_by_role("link", name="Explain").click()
    page.locator("textarea[name=pasted]").fill('{"Image": "a.exe", "CommandLine": "x"}')
    page.get_by_role("button", name="Explain").first.click()
    expect(page.locator("#explained")).to_contain_text("It does not match this event")
    expect(page.locator(".tree .failed").first).to_be_visible()
    desk.assert_quiet()


def test_a_technique_opens_its_rules(desks: Desks) -> None:
    desk = desks("mira.kask")
    page = desk.page
    desk.open("/coverage")
    page.locator("a.cell", has_text="T1003.003").first.click()
    expect(page.locator("#panel")).to_contain_text("Copy of the directory database")
    expect(page).to_have_url(re.compile("technique=T1003.003"))
    desk.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    with page.expect_download() as download:
        page.get_by_role("link", name="ATT&CK Navigator").click()
    assert download.value.suggested_filename == "tocsin-attack-layers.json"
    page.get_by_role("link", name="Gaps").click()
    expect(page.locator("tbody tr").first).to_be_visible()
    desk.assert_quiet()


def test_a_rule_is_tried_on_history(desks: Desks) -> None:
    desk = desks("ebba.only")
    page = desk.page
    desk.open("/rules?q=directory+database+is+being+made")
    page.locator("a.row-link").click()
    page.get_by_role("link", name="Backtest").click()
    page.get_by_label("Go through").select_option("7")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#backtest .state").first).to_have_text("Done", timeout=90_000)
    expect(page.locator("#backtest .facts.big dd").first).to_have_text("1")
    expect(page.locator("#backtest figure.days")).to_be_visible()
    expect(page.locator("#backtest")).to_contain_text("nh-dc01")
    desk.assert_quiet()


def test_an_alert_leads_to_an_exception_that_was_tried(desks: Desks, served: Served) -> None:
    house = served.living.house
    with house.state.read() as tx:
        alert = next(
            one
            for one in house.alerts.page(tx, size=1000).items
            if one.rule_title == "PowerShell is given an encoded command"
        )
    desk = desks("ada.lind", theme="dark")
    page = desk.page
    desk.open(f"/alerts/{alert.id}")
    page.get_by_role("link", name="Hide events like this").first.click()
    expect(page.locator("#preview")).to_contain_text("Would have hidden")
    ticked = page.locator(".offered input[type=checkbox]:checked")
    first = ticked.count()
    assert first >= 2
    ticked.nth(1).uncheck()
    expect(ticked).to_have_count(first - 1)
    page.locator("#except").get_by_label("Reason").fill("the deployment of our own tools")
    page.get_by_role("button", name="Add exception").click()
    expect(page.locator("#toasts")).to_contain_text("The exception is in force")
    expect(page.locator(".exceptions li")).to_contain_text("the deployment of our own tools")
    desk.look("rule-excepted")
    assert len(house.rule_book.life(alert.rule_id).exceptions) == 1
    desk.assert_quiet()


def test_rules_are_tried_together_before_they_are_moved(desks: Desks, served: Served) -> None:
    desk = desks("ebba.only")
    page = desk.page
    desk.open("/rules?q=web+server")
    desk.press("j")
    desk.press("x")
    page.locator(".bulk").get_by_label("that match").check()
    desk.press("s")
    page.get_by_role("button", name="first").click()
    expect(page).to_have_url(re.compile("/rules/trials/"))
    expect(page.locator(".head .state")).to_have_text("Done", timeout=60_000)
    row = page.locator("tr[data-row]", has_text="scanning tool")
    expect(row.locator("td.num").first).not_to_have_text("0.0")
    desk.look("rule-trial")
    row.get_by_role("checkbox").uncheck()
    desk.press("s")
    page.locator(".bulk").get_by_label("Reason").fill("loud, but known")
    page.get_by_role("button", name="Move rules").click()
    expect(page.locator("#toasts")).to_contain_text("staging now")
    house = served.living.house
    staged = {rule.title for rule in house.rules() if rule.id in house.ruleset.staged}
    assert staged
    assert "Web server is visited by a scanning tool" not in staged
    desk.assert_quiet()


def test_an_archive_is_sent_looked_at_and_added(
    desks: Desks, served: Served, tmp_path: Path
) -> None:
    rule = rule_text("  s: {Image: a}\n  condition: s", rule_id=str(uuid.uuid4()))
    file = tmp_path / "their-rules.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("rules/a.yml", rule)
        archive.writestr("rules/broken.yml", rule.replace("Image: a", "Image|nonsense: a"))
        archive.writestr("LICENSE", "DRL 1.1")
    desk = desks("ebba.only")
    page = desk.page
    desk.open("/packs")
    page.get_by_text("Add a pack…").click()
    page.locator("details[open] input[name=archive]").set_input_files(file)
    page.get_by_text("What it must prove").click()
    desk.look("pack-upload")
    page.get_by_role("button", name="Look at it").click()
    expect(page.locator(".head .chip")).to_contain_text("nothing has changed yet", timeout=60_000)
    expect(page.get_by_label("What can't be used")).to_contain_text("broken.yml")
    desk.look("pack-plan")
    page.get_by_role("button", name="Add pack").click()
    expect(page.locator("#toasts")).to_contain_text("is in force", timeout=60_000)
    expect(page.get_by_role("heading", name="their-rules", exact=True)).to_be_visible()
    desk.look("packs-one")
    house = served.living.house
    house.packs.remove("their-rules", by="test", now=datetime.now(UTC))
    house.rule_keeper.reload("test", datetime.now(UTC))
    desk.assert_quiet()
