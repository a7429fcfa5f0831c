"""The nouns of response: what an action would do, who must agree, and for how long it holds."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verb(StrEnum):
    """OpenC2 1.0 actions that write."""

    DENY = "deny"
    ALLOW = "allow"
    CONTAIN = "contain"


@dataclass(frozen=True, slots=True)
class Target:
    """What an action acts on, in OpenC2's words: ``ipv4_net``, ``ipv6_net``, ``domain_name`` and so on."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Impact:
    """What an action would touch, told before it is done.

    ``objections`` name each reason not to do it; ``forbidden`` is true when one of them is a
    never-touch entry. ``users`` counts people who use the touched services.
    """

    action: str
    target: Target
    summary: str
    assets: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    users: int = 0
    objections: tuple[str, ...] = ()
    forbidden: bool = False
    reversible: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """An action about to be asked for. ``digest`` is the SHA-256 of all the rest (JCS, RFC 8785)."""

    action: str
    verb: Verb
    target: Target
    lease_s: int
    impact: Impact
    digest: str


class ApprovalStatus(StrEnum):
    """Where a question to a person stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's word on one plan; void when the plan's digest has changed."""

    id: str
    run_id: str
    case_id: str
    plan: Plan
    question: str
    asked_of: str
    requested_by: str
    status: ApprovalStatus
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None = None
    decided_by: str = ""
    reason: str = ""


class LeaseStatus(StrEnum):
    """Where a containment stands."""

    ACTIVE = "active"
    UNDOING = "undoing"
    UNDONE = "undone"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Lease:
    """A containment that is in force until ``expires_at`` and is then undone by a durable run."""

    id: str
    run_id: str
    case_id: str
    action: str
    target: Target
    handle: str
    status: LeaseStatus
    created_at: datetime
    expires_at: datetime
    created_by: str
    approved_by: str
    verified_at: datetime | None = None
    undone_at: datetime | None = None
    undone_by: str = ""
    error: str = ""


class RunStatus(StrEnum):
    """Where a playbook run stands."""

    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RunStep:
    """One step a run has taken."""

    step_id: str
    name: str
    status: str
    started_at: datetime
    ended_at: datetime | None
    detail: str


@dataclass(frozen=True, slots=True)
class PlaybookRun:
    """One walk of a playbook, for one case and target."""

    id: str
    playbook_id: str
    playbook_name: str
    case_id: str
    started_by: str
    status: RunStatus
    started_at: datetime
    ended_at: datetime | None
    inputs: dict[str, str]
    steps: tuple[RunStep, ...] = ()
    error: str = ""
