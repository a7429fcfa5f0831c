"""The pages about rules without a browser: what they say, what they refuse, what they put in force."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from anyio.from_thread import BlockingPortal

from tests.console.conftest import Visitor, Visitors
from tests.console.living import open_house
from tocsin.app.wiring import Tocsin
from tocsin.console.exception_form import fields_written
from tocsin.console.rule_list import RulesState
from tocsin.console.sparkline import sparkline
from tocsin.console.visit import Refused
from tocsin.detect.rules.overlay import LifeState
from tocsin.model.severity import Level

COPIED = "1ad53a71-601e-41a1-9b05-219d976ce891"
"""Most of these tests read it only; those that decide something have a rule of their own."""
MOVED = "38277101-68fd-40d3-b828-2ed4afc9925a"
EXCEPTED = "a5f101d7-43e4-4537-808c-12c1b3633c87"
SHARED = "e4f17a65-4276-40ea-b580-0ced685adf6f"
HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tocsin]:
    """A house whose rules these tests change."""
    opened = open_house(tmp_path_factory.mktemp("rules") / "home")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def engineer(own: Tocsin, portal: BlockingPortal) -> Iterator[Visitor]:
    made = Visitors(portal, own)
    yield made("ebba.only")
    made.close()


def test_a_rule_without_a_source_is_told_in_words(engineer: Visitor) -> None:
    page = engineer.get("/rules?health=cannot&q=directory+database").text
    assert "No source" in page
    assert "nothing has come in for windows." in page
    assert "Copy of the directory database is being made" in page
    assert "Cannot match:" in engineer.get(f"/rules/{COPIED}").text


def test_the_list_is_sorted_by_what_the_address_says(engineer: Visitor) -> None:
    def titles(address: str) -> list[str]:
        return re.findall(r'class="row-link" href="[^"]+">([^<]+)<', engineer.get(address).text)

    down, up = titles("/rules?sort=-title"), titles("/rules?sort=title")
    assert up == sorted(up, key=str.lower)
    assert down == sorted(down, key=str.lower, reverse=True)
    assert titles("/rules?technique=T1003&q=directory+database")
    assert not titles("/rules?technique=T9999")


def test_the_list_stays_small(engineer: Visitor) -> None:
    assert len(engineer.get("/rules").content) < 100_000


def test_what_the_address_asks_for_keeps_its_place_in_every_link() -> None:
    query = RulesState(q="ntds", health="cannot", sort="title")
    assert query.sorted_by("title") == "/rules?q=ntds&health=cannot&sort=-title"
    assert query.aria_sort("title") == "ascending"
    assert query.aria_sort("level") == "none"


def test_a_day_with_findings_is_always_to_be_seen() -> None:
    drawn = sparkline([0, 1, 10_000])
    assert drawn.path == "M5 16v-2h4v2zM10 16v-16h4v16z"
    assert (drawn.total, drawn.tallest) == (10_001, 10_000)


def test_the_tests_of_a_rule_run_when_asked(engineer: Visitor) -> None:
    before = engineer.get(f"/rules/{COPIED}?tab=tests").text
    assert "Not run" in before
    after = engineer.get(f"/rules/{COPIED}?tab=tests&run=1").text
    assert "All 2 passed" in after
    assert "Not run" not in after


def test_a_pasted_event_is_explained_part_by_part(engineer: Visitor) -> None:
    event = {"EventID": 1, "Image": r"C:\Windows\System32\ntdsutil.exe", "CommandLine": HOSTILE}
    page = engineer.post(f"/rules/{COPIED}/explain", pasted=json.dumps(event)).text
    assert "It does not match this event" in page
    assert "What kept it from it" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "This is no JSON (line 1" in engineer.post(f"/rules/{COPIED}/explain", pasted="{").text
    assert "This is no event" in engineer.post(f"/rules/{COPIED}/explain", pasted="[1]").text
    assert "Paste an event first" in engineer.post(f"/rules/{COPIED}/explain", pasted="").text


def test_a_rule_is_moved_with_a_reason_and_told_so(own: Tocsin, engineer: Visitor) -> None:
    refused = engineer.post(f"/rules/{MOVED}/state", state="staging", reason="")
    assert refused.status_code == 303
    assert own.rule_book.life(MOVED).state is LifeState.ACTIVE
    engineer.post(f"/rules/{MOVED}/state", state="retired", reason="replaced <b>soon</b>")
    page = engineer.get(f"/rules/{MOVED}").text
    assert "Does not run:" in page
    history = engineer.get(f"/rules/{MOVED}?tab=history").text
    assert "replaced &lt;b&gt;soon&lt;/b&gt;" in history
    assert "certutil is used to fetch" in engineer.get("/rules?state=retired").text
    wrong = engineer.post(f"/rules/{MOVED}/state", state="active", reason="at once")
    assert wrong.status_code == 303
    assert own.rule_book.life(MOVED).state is LifeState.RETIRED
    engineer.post(f"/rules/{MOVED}/revert", version="0", reason="it was needed")
    assert own.rule_book.life(MOVED).state is LifeState.ACTIVE


def test_all_that_match_are_moved_at_once(own: Tocsin, engineer: Visitor) -> None:
    engineer.post("/rules/state", scope="matching", only_q="pod", state="staging", reason="noisy")
    overlays = own.rule_book.overlays().items()
    staged = {one for one, overlay in overlays if overlay.state is LifeState.STAGING}
    page = engineer.get("/rules?q=pod").text
    wanted = set(re.findall(r'name="id" value="([^"]+)"', page))
    assert len(staged) > 1
    assert staged == wanted
    assert own.ruleset.staged == staged


def test_an_exception_is_added_and_removed(own: Tocsin, engineer: Visitor) -> None:
    address = f"/rules/{EXCEPTED}/exceptions"
    engineer.post(address, fields="no colon", owner="ebba", reason="r")
    engineer.post(address, fields="User: svc", owner="ebba", reason="")
    engineer.post(address, fields="User: svc", owner="ebba", reason="r", expires="2001-01-01")
    assert own.rule_book.life(EXCEPTED).exceptions == ()
    end = f"{datetime.now(UTC).year + 1}-06-30"
    engineer.post(
        address, fields=f"User: svc-backup\nUser: {HOSTILE}", owner="ebba", reason="b", expires=end
    )
    (one,) = own.rule_book.life(EXCEPTED).exceptions
    assert one.exception.fields == {"User": ("svc-backup", HOSTILE)}
    page = engineer.get(f"/rules/{EXCEPTED}?tab=exceptions").text
    assert "svc-backup" in page
    assert "In force" in page
    assert "<script>alert" not in page
    engineer.post(f"{address}/remove", exception=one.exception.id, reason="the account is gone")
    assert own.rule_book.life(EXCEPTED).exceptions == ()


def test_an_exception_that_hides_a_test_is_told(engineer: Visitor) -> None:
    engineer.post(
        f"/rules/{COPIED}/exceptions",
        fields=r"Image|endswith: \ntdsutil.exe",
        owner="ebba",
        reason="too loud",
    )
    page = engineer.get(f"/rules/{COPIED}?tab=exceptions").text
    assert "It hides what the rule's own tests must find: Install from media" in page


def test_two_people_do_not_overwrite_each_other(own: Tocsin, engineer: Visitor) -> None:
    seen = own.rule_book.life(SHARED).version
    address = f"/rules/{SHARED}/decisions"
    engineer.post(address, version=seen, level="medium", notes="mine", reason="quieter")
    assert own.rule_book.life(SHARED).level is Level.MEDIUM
    refused = engineer.post(
        address, version=seen, level="low", notes="theirs", reason="r", back=f"/rules/{SHARED}"
    )
    assert own.rule_book.life(SHARED).notes == "mine"
    assert "while you had an earlier one open" in engineer.get(refused.headers["location"]).text


@pytest.mark.parametrize("path", ["state", "exceptions", "decisions", "revert", "settle"])
def test_who_may_only_read_changes_nothing(visitors: Visitors, path: str) -> None:
    assert visitors("nils.only").post(f"/rules/{COPIED}/{path}").status_code == 403


def test_lines_of_conditions_are_read_as_people_write_them() -> None:
    written = "User: svc\n\n User : other: one \nImage|endswith: \\a.exe"
    assert fields_written(written) == {
        "User": ["svc", "other: one"],
        "Image|endswith": ["\\a.exe"],
    }
    with pytest.raises(Refused, match="Line 2"):
        fields_written("User: svc\nno condition")
