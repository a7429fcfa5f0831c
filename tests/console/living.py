"""A wired house in which a day has happened: what the console's tests look at."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from tests.console.known_sources import live_two_weeks
from tocsin.app.flow.assets import dump_assets
from tocsin.app.settings.config import Settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.exercise.company import load_company
from tocsin.exercise.day import sending_plan
from tocsin.exercise.sending import Channel, Sending
from tocsin.ingest.cutting.files import read_paths
from tocsin.ingest.cutting.lines import split_lines
from tocsin.model.alert import Alert
from tocsin.model.case import Case
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.finding import Finding, MatchedField
from tocsin.model.identifier import event_id, new_id
from tocsin.model.principal import Role
from tocsin.model.record import Framing, RawBatch
from tocsin.model.response import Approval, ApprovalStatus, Lease, LeaseStatus
from tocsin.model.severity import Level
from tocsin.respond.target import network_target

Found = TypeVar("Found")

PASSWORD = "a bell rings at dawn"
EVENTS = 8_000
_PATIENCE_S = 60.0

PEOPLE = {
    "ada.lind": (Role.ANALYST, Role.RESPONDER, Role.HUNTER, Role.ENGINEER),
    "otto.berg": (Role.OPERATIONS,),
    "mira.kask": (Role.MANAGER,),
    "root.admin": (Role.ADMINISTRATOR,),
    "nils.only": (Role.ANALYST,),
    "rita.only": (Role.RESPONDER,),
    "hans.only": (Role.HUNTER,),
    "ebba.only": (Role.ENGINEER,),
}


@dataclass
class Living:
    """The house, and names of things in it that tests ask for."""

    house: Tocsin
    case: Case
    pending: Approval
    active: Lease
    undone: Lease


def open_house(home: Path) -> Tocsin:
    """A house on an empty folder with the people of the tests."""
    home.mkdir(parents=True, exist_ok=True)
    company = load_company()
    dump_assets(home / "assets.yml", company.assets, company.services)
    house = open_tocsin(Settings(home=home))
    now = datetime.now(UTC)
    for name, roles in PEOPLE.items():
        house.access.create_user(name, roles, password=PASSWORD, by="test", now=now)
    return house


def live_a_day(house: Tocsin) -> Living:
    """Send the sample company's day through the flow, then work on it as people would."""
    company = load_company()
    folder = house.settings.home / "sent"
    folder.mkdir()
    end = datetime.now(UTC) - timedelta(minutes=1)
    with house.upkeep.history_comes_in():
        for sending in sending_plan(company, end=end, events=EVENTS, seed=7):
            house.spool.append(_batches(sending, folder))
        house.flow.drain()
    live_two_weeks(house)
    house.upkeep.watch_sources()
    house.closers.append(house.response.close)
    house.response.open()
    case = _open_case(house)
    outside = _outside_addresses(house)
    undone = _contain(house, case, outside[0])
    ada = house.access.principal("ada.lind")
    house.response.undo(
        undone.id, by=ada, reason="the address was given back", now=datetime.now(UTC)
    )
    undone = _wait(lambda: _lease(house, undone.id, LeaseStatus.UNDONE), "an undone lease")
    active = _contain(house, case, outside[1])
    pending = _ask(house, case, outside[2])
    return Living(house, case, pending, active, undone)


def _batches(sending: Sending, folder: Path) -> list[RawBatch]:
    now = datetime.now(UTC)
    if sending.channel is not Channel.FILE:
        framing = Framing.LINES if sending.channel is Channel.HTTP else Framing.SYSLOG
        return split_lines(sending.payload, sending.source, now, framing=framing)
    path = folder / sending.filename
    path.write_bytes(sending.payload)
    return [
        cut for cut in read_paths([path], sending.source, now, None) if isinstance(cut, RawBatch)
    ]


def _worst_alerts(house: Tocsin) -> list[Alert]:
    with house.state.read() as tx:
        return list(house.alerts.page(tx, is_open=True, size=6).items)


def _open_case(house: Tocsin) -> Case:
    now = datetime.now(UTC)
    alerts = _worst_alerts(house)
    with house.state.begin() as tx:
        case = house.cases.open(
            tx,
            title="Intrusion from a guessed SSH password to data leaving the company",
            alerts=alerts,
            by="ada.lind",
            now=now,
        )
        house.alerts.link_case(tx, [alert.id for alert in alerts], case.id, now)
        house.cases.note(
            tx,
            case.id,
            author="ada.lind",
            text="The first sign-in after the failures is the same account. Sessions revoked.",
            now=now,
        )
        house.cases.add_task(
            tx,
            case.id,
            title="Disable the access key that was made",
            assignee="otto.berg",
            due_at=now + timedelta(hours=4),
            by="ada.lind",
            now=now,
        )
    return case


def _outside_addresses(house: Tocsin) -> list[str]:
    """Addresses of alerts that are none of the company's, then made-up ones."""
    with house.state.read() as tx:
        alerts = house.alerts.page(tx, size=1000).items
    entities = [entity for alert in alerts for entity in (alert.entity, *alert.related)]
    named = dict.fromkeys(
        entity.name
        for entity in entities
        if entity.kind is EntityKind.ADDRESS and house.assets.by_address(entity.name) is None
    )
    outside = [name for name in named if not name.startswith(("10.", "192.168.", "fe80"))]
    return [*outside, "198.51.100.201", "198.51.100.202", "198.51.100.203"]


def _ask(house: Tocsin, case: Case, address: str) -> Approval:
    playbook = next(one for one in house.response.playbooks() if "machine" not in one.name)
    run = house.response.request(
        playbook_id=playbook.id,
        case_id=case.id,
        target=network_target(address),
        lease_s=14_400,
        by=house.access.principal("ada.lind"),
        now=datetime.now(UTC),
    )

    def asked() -> Approval | None:
        with house.state.read() as tx:
            found = house.response.approvals(tx, run_id=run.id, status=ApprovalStatus.PENDING)
        return next(iter(found.items), None)

    return _wait(asked, f"the approval of {address}")


def _contain(house: Tocsin, case: Case, address: str) -> Lease:
    approval = _ask(house, case, address)
    house.response.decide(
        approval.id,
        approve=True,
        by=house.access.principal("otto.berg"),
        reason="outside address, no service of ours uses it",
        now=datetime.now(UTC),
    )

    def held() -> Lease | None:
        with house.state.read() as tx:
            found = house.response.leases(tx, run_id=approval.run_id, status=LeaseStatus.ACTIVE)
        return next((lease for lease in found.items if lease.verified_at), None)

    return _wait(held, f"the lease on {address}")


def _lease(house: Tocsin, lease_id: str, status: LeaseStatus) -> Lease | None:
    with house.state.read() as tx:
        lease = house.response.lease(tx, lease_id)
    return lease if lease is not None and lease.status is status else None


def _wait(look: Callable[[], Found | None], what: str) -> Found:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {_PATIENCE_S:.0f} s in vain for {what}")


def plant_alert(
    house: Tocsin, title: str, *, host: str = "nh-ws12", fields: dict[str, object] | None = None
) -> Alert:
    """A new alert of its own rule, for a test to do with as it likes."""
    now = datetime.now(UTC)
    rule_id = new_id("rule")
    given = fields or {"CommandLine": "whoami /all"}
    name, value = next(iter(given.items()))
    finding = Finding(
        finding_id=new_id("finding"),
        rule_id=rule_id,
        rule_title=title,
        level=Level.INFORMATIONAL,
        time=now,
        event_id=event_id(now, "test", 0, 0),
        lane="windows.process_creation",
        source="windows",
        tags=("attack.discovery",),
        techniques=("T1033",),
        entities=(Entity(EntityKind.HOST, host), Entity(EntityKind.ADDRESS, "203.0.113.250")),
        matched=(MatchedField(name, str(value), f"{name}|contains: {str(value)[:12]}"),),
        fields=given,
        ocsf={},
    )
    with house.state.begin() as tx:
        return house.alerts.fold(tx, [finding], now)[0]
