"""Exceptions on the page: what is offered of an event, what a preview tells, what is kept."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from anyio.from_thread import BlockingPortal

from tests.console.conftest import Visitor, Visitors
from tests.console.living import open_house
from tocsin.app.explaining.exception_preview import preview_exception
from tocsin.app.wiring import Tocsin
from tocsin.console.exception_form import OfferedField, offered_fields
from tocsin.detect.errors import RefusedDecision
from tocsin.model.alert import Alert, AlertStatus, Disposition
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.finding import Finding, MatchedField
from tocsin.model.identifier import event_id, new_id
from tocsin.model.severity import Level

COPIED = "1ad53a71-601e-41a1-9b05-219d976ce891"
HOSTILE = r"C:\a*\"><script>alert(1)</script>"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tocsin]:
    opened = open_house(tmp_path_factory.mktemp("exceptions") / "home")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def visitors(own: Tocsin, portal: BlockingPortal) -> Iterator[Visitors]:
    made = Visitors(portal, own)
    yield made
    made.close()


@pytest.fixture(scope="module")
def engineer(visitors: Visitors) -> Visitor:
    return visitors("ebba.only")


@pytest.fixture(scope="module")
def alerts(own: Tocsin) -> tuple[Alert, Alert]:
    """One of a backup account, closed as an attack, and one with a hostile command line."""
    return found(own, "nh-dc01", "svc-backup"), found(own, "nh-dc02", "eve", HOSTILE)


def found(house: Tocsin, host: str, user: str, command: str = "ntdsutil ifm") -> Alert:
    now = datetime.now(UTC)
    finding = Finding(
        finding_id=new_id("finding"),
        rule_id=COPIED,
        rule_title="Copy of the directory database is being made",
        level=Level.CRITICAL,
        time=now,
        event_id=event_id(now, host, 0, 0),
        lane="windows.process_creation",
        source="windows",
        tags=(),
        techniques=("T1003.003",),
        entities=(Entity(EntityKind.HOST, host), Entity(EntityKind.USER, user)),
        matched=(MatchedField("CommandLine", command, "CommandLine|contains: ifm"),),
        fields={
            "User": f"CORP\\{user}",
            "CommandLine": command,
            "Deep": {"er": 4, "li": [{"a": 1}]},
        },
        ocsf={},
    )
    with house.state.begin() as tx:
        return house.alerts.fold(tx, [finding], now)[0]


def test_what_the_rule_saw_and_whom_it_is_about_is_ticked_first() -> None:
    event = {"Id": 7, "User": "CORP\\eve", "Host": "nh-ws1.corp.example", "Cmd": "x", "Empty": ""}
    offered = offered_fields(event, ["cmd"], ["eve", "nh-ws1"])
    assert [one.name for one in offered if one.is_chosen] == ["User", "Host", "Cmd"]
    assert offered[-1] == OfferedField("Id", "7", is_chosen=False)


def test_an_event_of_an_alert_becomes_an_exception(
    own: Tocsin, engineer: Visitor, alerts: tuple[Alert, Alert]
) -> None:
    exemplar = alerts[1].exemplars[-1]
    page = engineer.get(f"/rules/{COPIED}?tab=exceptions&event={exemplar.event_id}").text
    assert "Hide events like this" in page
    assert "<script>alert" not in page
    ticked = {"use": ["0", "1"], "name-0": "User", "how-0": "", "value-0": r"CORP\eve"}
    ticked |= {"name-1": "CommandLine", "how-1": "contains", "value-1": HOSTILE}
    before = engineer.post(f"/rules/{COPIED}/exceptions/preview", **ticked).text
    assert "Would have hidden 1 of 2 findings" in before
    assert own.rule_book.life(COPIED).exceptions == ()
    engineer.post(f"/rules/{COPIED}/exceptions", **ticked, owner="ebba", reason="a drill")
    (one,) = own.rule_book.life(COPIED).exceptions
    record = {"User": r"corp\EVE", "CommandLine": f"run {HOSTILE} now"}
    at_work = own.ruleset.exceptions[COPIED]
    assert at_work.find(record, datetime.now(UTC)) == one.exception
    assert at_work.find({**record, "CommandLine": r"C:\ab\x"}, datetime.now(UTC)) is None


def test_a_preview_warns_of_attacks_and_of_the_rules_own_tests(
    own: Tocsin, engineer: Visitor, alerts: tuple[Alert, Alert]
) -> None:
    now = datetime.now(UTC)
    with own.state.begin() as tx:
        own.alerts.change(
            tx,
            [alerts[0].id],
            status=AlertStatus.CLOSED,
            disposition=Disposition.TRUE_POSITIVE,
            reason="seen",
            by="ada",
            now=now,
        )
    told = preview_exception(own, COPIED, {"User|contains": ["svc-"]}, now)
    assert (told.hidden, told.kept, told.whole, told.attacks) == (1, 2, 1, 1)
    page = engineer.post(f"/rules/{COPIED}/exceptions/preview", fields="User|contains: svc-").text
    assert "1 of these alerts was closed as a true positive" in page
    tests = preview_exception(own, COPIED, {"Image|endswith": [r"\ntdsutil.exe"]}, now)
    assert tests.tests


def test_a_preview_tells_what_can_not_be_used(own: Tocsin, engineer: Visitor) -> None:
    with pytest.raises(RefusedDecision, match="can't be used"):
        preview_exception(own, COPIED, {"User|nonsense": ["x"]}, datetime.now(UTC))
    address = f"/rules/{COPIED}/exceptions/preview"
    assert "Line 1 is no condition" in engineer.post(address, fields="no colon").text
    assert "Say what the exception is for" in engineer.post(address).text
    assert "is empty" in engineer.post(address, use="0", **{"name-0": "User"}).text
    assert engineer.post("/rules/none/exceptions/preview", fields="User: a").status_code == 404


def test_an_event_that_is_gone_is_told(engineer: Visitor) -> None:
    page = engineer.get(
        f"/rules/{COPIED}?tab=exceptions&event=01a20184-cdc8-750c-b5a3-5e9cf7985d9a"
    )
    assert "No stored event has the id" in page.text


def test_who_may_not_change_rules_is_offered_nothing(
    visitors: Visitors, alerts: tuple[Alert, Alert]
) -> None:
    reader = visitors("nils.only")
    assert "Hide events like this" not in reader.get(f"/alerts/{alerts[0].id}").text
    refused = reader.post(f"/rules/{COPIED}/exceptions/preview", fields="User: a")
    assert refused.status_code == 403
    page = visitors("ada.lind").get(f"/alerts/{alerts[0].id}").text
    assert f"tab=exceptions&amp;event={alerts[0].exemplars[-1].event_id}" in page
