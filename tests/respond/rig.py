"""A whole response desk on a real state store and a real engine of durable runs."""

import ipaddress
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from tests.places import SOURCE
from tocsin.connectors.blocklist.actions import Blocklist
from tocsin.model.asset import Asset, BusinessService
from tocsin.model.principal import Permission, Principal, Role
from tocsin.model.response import (
    Approval,
    ApprovalStatus,
    Lease,
    LeaseStatus,
    PlaybookRun,
    RunStatus,
    Target,
)
from tocsin.respond.action import Action
from tocsin.respond.desk import ResponseDesk
from tocsin.respond.parts import ResponseParts
from tocsin.respond.policy import Policy, load_policy
from tocsin.respond.signature import open_signer
from tocsin.store.engines.runs.dbos_runs import DbosRuns
from tocsin.store.engines.state.sqlite_state import SqliteState

POLICIES = SOURCE / "content" / "policies"
PLAYBOOKS = SOURCE / "content" / "playbooks"
CONTAIN = "Contain an address"
PATIENCE_S = 30.0

Answer = TypeVar("Answer")


def utc_now() -> datetime:
    return datetime.now(UTC)


def until(look: Callable[[], Answer | None], what: str) -> Answer:
    """The first answer that is not None or False, or a failure naming what never came."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come within {PATIENCE_S:g} s")


def person(name: str, *roles: Role, may: Sequence[Permission] = ()) -> Principal:
    return Principal(name, roles, frozenset(may), "session")


RESPONDER = person(
    "noor.vashti",
    Role.RESPONDER,
    may=[Permission.RESPONSE_REQUEST, Permission.RESPONSE_UNDO, Permission.RESPONSE_READ],
)
OPERATOR = person(
    "dario.fenwick", Role.OPERATIONS, may=[Permission.RESPONSE_APPROVE, Permission.RESPONSE_UNDO]
)


@dataclass
class Directory:
    """Assets and services of a test, changed while it runs."""

    assets: dict[str, Asset] = field(default_factory=dict)
    services: dict[str, BusinessService] = field(default_factory=dict)

    def within(self, network: str) -> Sequence[Asset]:
        wanted = ipaddress.ip_network(network)
        return [
            asset
            for asset in self.assets.values()
            if any(ipaddress.ip_address(address) in wanted for address in asset.addresses)
        ]

    def services_of(self, asset: Asset) -> Sequence[BusinessService]:
        return [self.services[name] for name in asset.services]


@dataclass
class Trail:
    """Remembers what the audit log and the case were told."""

    audited: list[tuple[str, str, str]] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)

    def append(self, tx: Connection, /, **entry: Any) -> None:
        self.audited.append((entry["action"], entry["outcome"], entry["actor"]))

    def record(self, tx: Connection, case_id: str, /, **entry: Any) -> None:
        self.told.append((case_id, entry["text"]))


class Rig:
    """The desk of one data folder; ``reopen`` is a restart of the process that holds it."""

    def __init__(
        self,
        folder: Path,
        policy: Policy | None = None,
        actions: Callable[[SqliteState], Mapping[str, Action]] | None = None,
        playbooks: Path = PLAYBOOKS,
    ) -> None:
        self.folder = folder
        self.policy = policy or quick_policy()
        self.directory = Directory()
        self.trail = Trail()
        self._actions = actions
        self._playbooks = playbooks
        self.open()

    def open(self) -> None:
        self.state = SqliteState(self.folder / "state.sqlite")
        self.blocklist = Blocklist(self.state)
        self.runs = DbosRuns(self.folder / "runs", poll_s=0.02)
        chosen: Mapping[str, Action] = {"blocklist": self.blocklist}
        if self._actions is not None:
            chosen = self._actions(self.state)
        parts = ResponseParts(
            state=self.state,
            runs=self.runs,
            actions=chosen,
            assets=self.directory,
            audit=self.trail,
            journal=self.trail,
            signer=open_signer(self.folder / "signing.pem"),
            policy=self.policy,
            clock=utc_now,
        )
        self.desk = ResponseDesk(parts, [self._playbooks])
        self.desk.open()

    def close(self) -> None:
        self.desk.close()
        self.state.close()

    def reopen(self) -> None:
        self.close()
        self.open()

    def request(
        self,
        address: str = "203.0.113.66",
        lease_s: int = 600,
        playbook: str = CONTAIN,
        by: Principal = RESPONDER,
    ) -> PlaybookRun:
        playbook_id = next(one.id for one in self.desk.playbooks() if one.name == playbook)
        kind = "ipv6_net" if ":" in address else "ipv4_net"
        return self.desk.request(
            playbook_id=playbook_id,
            case_id="case-1",
            target=Target(kind, address),
            lease_s=lease_s,
            by=by,
            now=utc_now(),
        )

    def asked(self, run: PlaybookRun, number: int = 1) -> Approval:
        """The ``number``-th question of a run, once it is pending."""

        def look() -> Approval | None:
            with self.state.read() as tx:
                page = self.desk.approvals(tx, run_id=run.id)
            pending = [one for one in page.items if one.status is ApprovalStatus.PENDING]
            return pending[0] if pending and page.total >= number else None

        return until(look, f"approval {number} of {run.id}, which {self.now_of(run)}")

    def approve(self, run: PlaybookRun, number: int = 1, by: Principal = OPERATOR) -> Approval:
        approval = self.asked(run, number)
        return self.desk.decide(
            approval.id, approve=True, by=by, reason="seen and agreed", now=utc_now()
        )

    def now_of(self, run: PlaybookRun) -> PlaybookRun:
        with self.state.read() as tx:
            found = self.desk.run(tx, run.id)
        assert found is not None
        return found

    def ended(self, run: PlaybookRun) -> PlaybookRun:
        """The run once it has ended, however."""

        def look() -> PlaybookRun | None:
            found = self.now_of(run)
            return None if found.status in (RunStatus.RUNNING, RunStatus.WAITING) else found

        return until(look, f"the end of {run.id}")

    def leases_of(self, run: PlaybookRun) -> tuple[Lease, ...]:
        with self.state.read() as tx:
            return self.desk.leases(tx, run_id=run.id).items

    def lease(self, run: PlaybookRun, *statuses: LeaseStatus, verified: bool = False) -> Lease:
        """The run's lease, once it has one of these statuses (and was verified)."""

        def look() -> Lease | None:
            found = self.leases_of(run)
            if not found or found[0].status not in statuses:
                return None
            return found[0] if found[0].verified_at or not verified else None

        return until(look, f"a lease of {run.id} that is {statuses}, now {self.leases_of(run)}")

    def blocked(self) -> list[str]:
        return self.blocklist.networks(utc_now())


def quick_policy(**limits: Any) -> Policy:
    """The shipped policy, with other limits."""
    policy = load_policy(POLICIES)
    return replace(policy, limits=policy.limits.model_copy(update=limits))
