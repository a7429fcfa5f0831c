"""Plays the sample company's day on a running server: its people, its records, its response."""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.app.home.machine import peak_rss_mb
from tocsin.app.rehearsals.delivery import Delivery, Doors
from tocsin.app.rehearsals.rehearsal_errors import RehearsalError
from tocsin.app.wiring import Tocsin
from tocsin.exercise.company import Company
from tocsin.exercise.day import DAY_EVENTS, later_plan, sending_plan
from tocsin.exercise.stages import STAGES, stages_seen
from tocsin.model.alert import Alert
from tocsin.model.case import Case
from tocsin.model.principal import Role
from tocsin.model.response import Approval, ApprovalStatus, Lease, LeaseStatus, RunStatus, Target

_PATIENCE_S = 60.0
_LIFE_S = 30.0


@dataclass(frozen=True, slots=True)
class SignIn:
    """Someone of the company who may sign in to the console."""

    name: str
    password: str
    does: str


@dataclass(frozen=True, slots=True)
class Progress:
    """What has been sent so far, in records."""

    sent: int
    total: int


_CAST: tuple[tuple[str, tuple[Role, ...], str], ...] = (
    (
        "iris.calloway",
        (Role.ANALYST, Role.RESPONDER, Role.HUNTER, Role.ENGINEER, Role.MANAGER),
        "security lead: queue, cases, hunting; asks for containment",
    ),
    ("noor.vashti", (Role.ANALYST,), "security analyst: queue and cases"),
    ("henrik.ostrow", (Role.OPERATIONS,), "head of IT operations: approves what touches services"),
    ("dario.fenwick", (Role.ADMINISTRATOR,), "administrator: users, tokens, audit"),
)


class Rehearsal:
    """One day of the sample company, delivered through the real doors of a server."""

    def __init__(self, house: Tocsin, company: Company, doors: Doors, *, seed: int) -> None:
        """The day ends now; the same ``seed`` plays the same day."""
        self._house = house
        self._company = company
        self._doors = doors
        self._seed = seed
        self._day_end = datetime.now(UTC)
        self.broken = 0
        self.sent = 0

    def bring_people(self) -> list[SignIn]:
        """Make the accounts of the cast, each with a password of its own."""
        now = datetime.now(UTC)
        cast = []
        for name, roles, does in _CAST:
            password = secrets.token_urlsafe(12)
            self._house.access.create_user(name, roles, password=password, by="demo", now=now)
            cast.append(SignIn(name, password, does))
        return cast

    def deliver(self, on_progress: Callable[[Progress], None]) -> None:
        """Send the whole day and wait until everything is stored; raises when some is not."""
        with self._house.upkeep.history_comes_in():
            self._send_the_day(on_progress)
        self._house.upkeep.watch_sources()

    def _send_the_day(self, on_progress: Callable[[Progress], None]) -> None:
        end = datetime.now(UTC)
        with Delivery(self._doors) as delivery:
            for sending in sending_plan(self._company, end=end, events=DAY_EVENTS, seed=self._seed):
                delivery.send(sending)
                self.sent += sending.records
                self.broken += sending.broken
                on_progress(Progress(self.sent, DAY_EVENTS))
        self._day_end = end
        self._await(
            lambda: self._house.flow.counts.records >= self.sent,
            lambda: f"{self._house.flow.counts.records} of {self.sent} records stored",
        )

    def live_on(self, stop: threading.Event) -> None:
        """Go on sending as the company would, every half minute, until ``stop``."""
        since = self._day_end
        while not stop.wait(timeout=_LIFE_S):
            now = datetime.now(UTC)
            with Delivery(self._doors) as delivery:
                for sending in later_plan(self._company, start=since, end=now, seed=self._seed):
                    delivery.send(sending)
            since = now

    def open_case(self) -> Case:
        """Open a case from the open alerts of the riskiest entities, as an analyst would."""
        now = datetime.now(UTC)
        house = self._house
        with house.state.begin() as tx:
            alerts = self._attack_alerts(tx)
            case = house.cases.open(
                tx,
                title="Intrusion from a brute-forced SSH login to data leaving the company",
                alerts=alerts,
                by="iris.calloway",
                now=now,
            )
            house.alerts.link_case(tx, [alert.id for alert in alerts], case.id, now)
            house.cases.assign(tx, case.id, assignee="noor.vashti", by="iris.calloway", now=now)
            house.cases.add_task(
                tx,
                case.id,
                title="Disable the access key that was made from the stolen session",
                assignee="dario.fenwick",
                due_at=now + timedelta(hours=4),
                by="iris.calloway",
                now=now,
            )
        return case

    def ask_to_block(self, case: Case, address: str, lease_s: int) -> Approval:
        """Start the containment playbook and wait until it asks a person."""
        house = self._house
        now = datetime.now(UTC)
        requester = house.access.principal("iris.calloway")
        run = house.response.request(
            playbook_id=house.response.playbooks()[0].id,
            case_id=case.id,
            target=Target("ipv4_net", address),
            lease_s=lease_s,
            by=requester,
            now=now,
        )
        found: list[Approval] = []

        def asked() -> bool:
            with house.state.read() as tx:
                pending = house.response.approvals(tx, status=ApprovalStatus.PENDING).items
            found[:] = [one for one in pending if one.run_id == run.id]
            return bool(found)

        self._await(asked, lambda: f"the approval of run {run.id}")
        return found[0]

    def approve(self, approval: Approval) -> Lease:
        """Approve as IT operations and wait until the containment is in force and verified."""
        house = self._house
        house.response.decide(
            approval.id,
            approve=True,
            by=house.access.principal("henrik.ostrow"),
            reason="outside address, no service of ours uses it",
            now=datetime.now(UTC),
        )
        return self._lease(approval.run_id, LeaseStatus.ACTIVE, verified=True)

    def undo(self, lease: Lease) -> Lease:
        """End the lease early and wait until the undo has been verified."""
        house = self._house
        house.response.undo(
            lease.id,
            by=house.access.principal("iris.calloway"),
            reason="rehearsal: the way back is part of the exercise",
            now=datetime.now(UTC),
        )
        return self._lease(lease.run_id, LeaseStatus.UNDONE)

    def attacker_addresses(self) -> list[str]:
        """Public addresses the attack alerts are about, most alerts first."""
        with self._house.state.read() as tx:
            alerts = self._attack_alerts(tx)
        ours = {address for asset in self._company.assets for address in asset.addresses}
        counted: dict[str, int] = {}
        for alert in alerts:
            for entity in (alert.entity, *alert.related):
                if entity.kind.value == "address" and entity.name not in ours:
                    counted[entity.name] = counted.get(entity.name, 0) + 1
        outside = [address for address in counted if not _is_private(address)]
        return sorted(outside, key=lambda address: (-counted[address], address))

    def summary(self, started: float) -> dict[str, Any]:
        """The figures of ``tocsin demo --check``."""
        house = self._house
        with house.state.read() as tx:
            alerts = house.alerts.page(tx, size=10_000)
            leases = house.response.leases(tx, size=1000).items
            figures = {
                "events": house.flow.counts.events,
                "unreadable": house.flow.counts.unreadable,
                "findings": house.flow.counts.findings,
                "alerts": alerts.total,
                "entities_at_risk": house.risk.page(tx).total,
                "cases": house.cases.page(tx).total,
                "playbook_runs": house.response.runs(tx).total,
                "approvals": house.response.approvals(tx).total,
            }
        seen = stages_seen(_told(alerts.items))
        return {
            **figures,
            "leases_created": len(leases),
            "leases_undone": sum(lease.status is LeaseStatus.UNDONE for lease in leases),
            "stages_total": len(STAGES),
            "stages_seen": len(seen),
            "seconds": round(time.monotonic() - started, 1),
            "peak_rss_mb": peak_rss_mb(),
        }

    def unseen_stages(self) -> list[str]:
        """Stages of the day that no alert tells."""
        with self._house.state.read() as tx:
            alerts = self._house.alerts.page(tx, size=10_000).items
        seen = {stage.name for stage in stages_seen(_told(alerts))}
        return [stage.name for stage in STAGES if stage.name not in seen]

    def _attack_alerts(self, tx: Any) -> list[Alert]:
        rules = {rule for stage in STAGES if stage.is_attack for rule in stage.rule_ids}
        found = self._house.alerts.page(tx, size=10_000).items
        return [alert for alert in found if alert.rule_id in rules]

    def _lease(self, run_id: str, status: LeaseStatus, *, verified: bool = False) -> Lease:
        found: list[Lease] = []
        house = self._house

        def there() -> bool:
            with house.state.read() as tx:
                run = house.response.run(tx, run_id)
                leases = house.response.leases(tx, size=1000).items
            if run is not None and run.status in (RunStatus.FAILED, RunStatus.REFUSED):
                raise RehearsalError(f"run {run_id} ended as {run.status}: {run.error}")
            found[:] = [
                one
                for one in leases
                if one.run_id == run_id
                and one.status is status
                and (one.verified_at or not verified)
            ]
            return bool(found)

        self._await(there, lambda: f"the lease of run {run_id} to be {status}")
        return found[0]

    def _await(self, holds: Callable[[], bool], told: Callable[[], str]) -> None:
        """Wait as long as something moves; raises when nothing has for ``_PATIENCE_S``."""
        moved, deadline = "", 0.0
        while not holds():
            if self._house.flow.error:
                raise RehearsalError(f"the flow stands: {self._house.flow.error}")
            if told() != moved:
                moved, deadline = told(), time.monotonic() + _PATIENCE_S
            if time.monotonic() > deadline:
                raise RehearsalError(f"waited {_PATIENCE_S:.0f} s in vain for: {told()}")
            time.sleep(0.05)


def _told(alerts: Sequence[Alert]) -> list[tuple[str, str]]:
    return [
        (alert.rule_id, entity.key) for alert in alerts for entity in (alert.entity, *alert.related)
    ]


def _is_private(address: str) -> bool:
    return address.startswith(("10.", "172.16.", "192.168.", "127.", "fe80:", "fd", "::1"))
