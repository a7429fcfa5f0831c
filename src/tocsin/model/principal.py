"""Who acts: a person or a token, with the roles that say what they may do."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """The seven roles."""

    ANALYST = "analyst"
    RESPONDER = "responder"
    HUNTER = "hunter"
    ENGINEER = "engineer"
    MANAGER = "manager"
    OPERATIONS = "operations"
    ADMINISTRATOR = "administrator"


class Permission(StrEnum):
    """What a route, page or command may require."""

    ALERTS_READ = "alerts:read"
    ALERTS_WRITE = "alerts:write"
    CASES_READ = "cases:read"
    CASES_WRITE = "cases:write"
    EVENTS_SEARCH = "events:search"
    EVENTS_INGEST = "events:ingest"
    RULES_READ = "rules:read"
    RULES_WRITE = "rules:write"
    SOURCES_READ = "sources:read"
    SOURCES_WRITE = "sources:write"
    RESPONSE_READ = "response:read"
    RESPONSE_REQUEST = "response:request"
    RESPONSE_APPROVE = "response:approve"
    RESPONSE_UNDO = "response:undo"
    RETENTION_WRITE = "retention:write"
    HOLDS_WRITE = "holds:write"
    METRICS_READ = "metrics:read"
    ACCESS_ADMIN = "access:admin"
    AUDIT_READ = "audit:read"


@dataclass(frozen=True, slots=True)
class Principal:
    """Someone who has proven who they are. ``via`` is ``session``, ``token`` or ``cli``."""

    name: str
    roles: tuple[Role, ...]
    permissions: frozenset[Permission]
    via: str

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One link of the audit chain: ``digest`` covers this entry and ``previous``."""

    number: int
    time: datetime
    actor: str
    action: str
    subject: str
    detail: str
    outcome: str
    previous: str
    digest: str
