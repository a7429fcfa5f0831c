"""What response works with, chosen and passed in by the application."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tocsin.respond.action import Action
from tocsin.respond.approval_book import ApprovalBook
from tocsin.respond.blast_radius import AssetDirectory
from tocsin.respond.decision_book import DecisionBook
from tocsin.respond.lease_book import LeaseBook
from tocsin.respond.policy import Policy
from tocsin.respond.run_book import RunBook
from tocsin.respond.signature import Signer
from tocsin.respond.witness import AuditTrail, CaseJournal
from tocsin.store.durable import DurableRuns
from tocsin.store.ports import StateStore


@dataclass(frozen=True, slots=True)
class Books:
    """The tables of the room."""

    decisions: DecisionBook
    runs: RunBook = field(default_factory=RunBook)
    approvals: ApprovalBook = field(default_factory=ApprovalBook)
    leases: LeaseBook = field(default_factory=LeaseBook)


@dataclass(frozen=True, slots=True)
class ResponseParts:
    """Everything from outside the room. ``clock`` gives aware UTC; ``actions`` go by name."""

    state: StateStore
    runs: DurableRuns
    actions: Mapping[str, Action]
    assets: AssetDirectory
    audit: AuditTrail
    journal: CaseJournal
    signer: Signer
    policy: Policy
    clock: Callable[[], datetime]
