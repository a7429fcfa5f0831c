"""What each role may do: the one table that routes, pages and commands are checked against.

Duties are kept apart where one person alone could harm the business: who asks for a containment
(responder) is not who agrees to it (operations), and the administrator, who hands out roles, can
do everything but agree or undo. A small team may give one person several roles; that is a choice
the audit chain shows, and the gate still refuses to let anyone approve their own request.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from tocsin.model.principal import Permission, Role

_READ_WORK = frozenset(
    {
        Permission.ALERTS_READ,
        Permission.CASES_READ,
        Permission.RULES_READ,
        Permission.SOURCES_READ,
        Permission.RESPONSE_READ,
        Permission.EVENTS_SEARCH,
    }
)

ROLE_PERMISSIONS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.ANALYST: _READ_WORK | {Permission.ALERTS_WRITE, Permission.CASES_WRITE},
        Role.RESPONDER: _READ_WORK
        | {
            Permission.ALERTS_WRITE,
            Permission.CASES_WRITE,
            Permission.RESPONSE_REQUEST,
            Permission.RESPONSE_UNDO,
        },
        Role.HUNTER: _READ_WORK
        | {Permission.ALERTS_WRITE, Permission.CASES_WRITE, Permission.RULES_WRITE},
        Role.ENGINEER: _READ_WORK
        | {
            Permission.EVENTS_INGEST,
            Permission.RULES_WRITE,
            Permission.SOURCES_WRITE,
            Permission.METRICS_READ,
        },
        Role.MANAGER: _READ_WORK
        | {
            Permission.CASES_WRITE,
            Permission.METRICS_READ,
            Permission.AUDIT_READ,
            Permission.HOLDS_WRITE,
        },
        Role.OPERATIONS: _READ_WORK
        | {
            Permission.RESPONSE_APPROVE,
            Permission.RESPONSE_UNDO,
            Permission.METRICS_READ,
        },
        Role.ADMINISTRATOR: frozenset(Permission)
        - {Permission.RESPONSE_APPROVE, Permission.RESPONSE_UNDO},
    }
)


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """All that any of the roles may do."""
    return frozenset().union(*(ROLE_PERMISSIONS[role] for role in roles))
