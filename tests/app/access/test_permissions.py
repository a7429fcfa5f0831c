"""Roles may do what their work needs, and duties stay apart."""

import pytest

from tocsin.app.access.permissions import ROLE_PERMISSIONS, permissions_of
from tocsin.model.principal import Permission, Role

P = Permission


def test_every_role_has_its_line_and_every_permission_a_holder() -> None:
    assert set(ROLE_PERMISSIONS) == set(Role)
    assert permissions_of(Role) == set(Permission)


def test_who_asks_for_containment_does_not_agree_to_it() -> None:
    for role, held in ROLE_PERMISSIONS.items():
        assert not {P.RESPONSE_REQUEST, P.RESPONSE_APPROVE} <= held, role


def test_only_operations_approves() -> None:
    assert [role for role in Role if P.RESPONSE_APPROVE in ROLE_PERMISSIONS[role]] == [
        Role.OPERATIONS
    ]


def test_only_the_administrator_gives_access_and_may_not_approve() -> None:
    assert [role for role in Role if P.ACCESS_ADMIN in ROLE_PERMISSIONS[role]] == [
        Role.ADMINISTRATOR
    ]
    assert P.RESPONSE_APPROVE not in ROLE_PERMISSIONS[Role.ADMINISTRATOR]


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        (Role.ANALYST, {P.ALERTS_WRITE, P.CASES_WRITE}, {P.RESPONSE_REQUEST, P.RULES_WRITE}),
        (Role.RESPONDER, {P.RESPONSE_REQUEST, P.RESPONSE_UNDO}, {P.RESPONSE_APPROVE}),
        (Role.HUNTER, {P.EVENTS_SEARCH, P.RULES_WRITE}, {P.SOURCES_WRITE, P.RESPONSE_UNDO}),
        (Role.ENGINEER, {P.EVENTS_INGEST, P.SOURCES_WRITE}, {P.ALERTS_WRITE, P.ACCESS_ADMIN}),
        (Role.MANAGER, {P.METRICS_READ, P.AUDIT_READ}, {P.ALERTS_WRITE, P.RULES_WRITE}),
        (Role.OPERATIONS, {P.RESPONSE_APPROVE, P.RESPONSE_UNDO}, {P.RESPONSE_REQUEST}),
        (Role.ADMINISTRATOR, {P.ACCESS_ADMIN, P.SOURCES_WRITE}, {P.RESPONSE_UNDO}),
    ],
)
def test_what_a_role_may_and_may_not(
    role: Role, may: set[Permission], may_not: set[Permission]
) -> None:
    assert may <= ROLE_PERMISSIONS[role]
    assert not may_not & ROLE_PERMISSIONS[role]


def test_several_roles_add_up_and_none_allows_nothing() -> None:
    both = permissions_of([Role.RESPONDER, Role.OPERATIONS])
    assert {P.RESPONSE_REQUEST, P.RESPONSE_APPROVE} <= both
    assert permissions_of([]) == frozenset()
