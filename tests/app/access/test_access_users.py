"""Users are made, given roles, kept out; tokens are made and revoked; all of it audited."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from tocsin.app.access.access import Access, AccessError, SignInRefused, WeakPassword
from tocsin.app.access.access_tables import AUDIT_ENTRIES
from tocsin.app.access.audit import AuditLog
from tocsin.app.access.passwords import Passwords
from tocsin.model.principal import Permission, Role
from tocsin.store.engines.state.sqlite_state import SqliteState

NOON = datetime(2026, 8, 3, 12, tzinfo=UTC)
HOME = "198.51.100.7"
SECRET = "correct horse battery"
DAY_S = 86400


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    store = SqliteState(tmp_path / "state.db")
    yield store
    store.close()


@pytest.fixture
def access(state: SqliteState) -> Access:
    return Access(state, AuditLog(), passwords=Passwords(memory_kib=64, rounds=1, lanes=1))


def actions(state: SqliteState) -> list[tuple[str, str, str]]:
    columns = AUDIT_ENTRIES.c
    query = select(columns.actor, columns.action, columns.subject).order_by(columns.number)
    with state.read() as tx:
        assert AuditLog().verify(tx).ok
        return [(actor, action, subject) for actor, action, subject in tx.execute(query)]


def test_the_first_start_makes_an_administrator(access: Access) -> None:
    password = access.ensure_administrator(NOON)
    assert password is not None
    assert len(password.replace("-", "")) == 20
    (user,) = access.users()
    assert (user.name, user.roles, user.must_change) == (
        "administrator",
        (Role.ADMINISTRATOR,),
        True,
    )


def test_the_one_time_password_works_once_and_allows_only_changing_it(access: Access) -> None:
    password = access.ensure_administrator(NOON)
    assert password is not None
    signed = access.sign_in("administrator", password, HOME, NOON)
    assert signed.must_change_password
    assert access.must_change_password("administrator")
    assert signed.principal.permissions == frozenset()
    with pytest.raises(SignInRefused):
        access.sign_in("administrator", password, HOME, NOON)
    with pytest.raises(WeakPassword, match="old one"):
        access.change_password("administrator", old=password, new=password, now=NOON)
    access.change_password(
        "administrator", old=password, new=SECRET, now=NOON, keep_cookie=signed.cookie
    )
    found = access.principal_of_session(signed.cookie, NOON)
    assert found is not None
    assert found[0].may(Permission.ACCESS_ADMIN)
    assert not access.must_change_password("administrator")
    assert access.ensure_administrator(NOON) is None


def test_until_it_is_changed_each_start_gives_a_new_one(access: Access) -> None:
    first, second = access.ensure_administrator(NOON), access.ensure_administrator(NOON)
    assert first is not None
    assert second is not None
    assert first != second
    with pytest.raises(SignInRefused):
        access.sign_in("administrator", first, HOME, NOON)
    assert access.sign_in("administrator", second, HOME, NOON)


def test_an_administrator_made_by_hand_is_enough(access: Access) -> None:
    access.create_user("dana", [Role.ADMINISTRATOR], by="cli", now=NOON)
    assert access.ensure_administrator(NOON) is None
    assert [user.name for user in access.users()] == ["dana"]


def test_other_users_do_not_stand_in_for_the_administrator(access: Access) -> None:
    access.create_user("ann", [Role.ANALYST], password=SECRET, by="demo", now=NOON)
    assert access.ensure_administrator(NOON) is not None


def test_a_user_without_a_password_gets_a_one_time_one(access: Access) -> None:
    password = access.create_user("bo", [Role.HUNTER, Role.ANALYST], by="cli", now=NOON)
    signed = access.sign_in("bo", password, HOME, NOON)
    assert signed.must_change_password
    assert signed.principal.roles == (Role.ANALYST, Role.HUNTER)


@pytest.mark.parametrize("name", ["", " ", "a b", "-x", "x" * 65, "ann\n", "<b>", "\ud800", "ä"])
def test_odd_names_are_refused(access: Access, name: str) -> None:
    if name.strip() == "ann":
        assert access.create_user(name, [Role.ANALYST], by="cli", now=NOON)
        return
    with pytest.raises(AccessError, match="can't be a user name"):
        access.create_user(name, [Role.ANALYST], by="cli", now=NOON)


def test_a_name_is_taken_whatever_its_case(access: Access) -> None:
    access.create_user("ann", [Role.ANALYST], by="cli", now=NOON)
    with pytest.raises(AccessError, match="already is"):
        access.create_user("ANN", [Role.ANALYST], by="cli", now=NOON)


def test_a_user_needs_a_role(access: Access) -> None:
    with pytest.raises(AccessError, match="at least one role"):
        access.create_user("ann", [], by="cli", now=NOON)


def test_roles_count_from_the_next_request(access: Access) -> None:
    access.create_user("ann", [Role.ANALYST], password=SECRET, by="cli", now=NOON)
    cookie = access.sign_in("ann", SECRET, HOME, NOON).cookie
    access.set_roles("ann", [Role.OPERATIONS], by="dana", now=NOON)
    found = access.principal_of_session(cookie, NOON)
    assert found is not None
    assert found[0].may(Permission.RESPONSE_APPROVE)
    assert not found[0].may(Permission.ALERTS_WRITE)


def test_a_disabled_user_is_out_at_once(access: Access) -> None:
    access.create_user("ann", [Role.ANALYST], password=SECRET, by="cli", now=NOON)
    cookie = access.sign_in("ann", SECRET, HOME, NOON).cookie
    assert access.disable_user("ann", by="dana", now=NOON).disabled
    assert access.principal_of_session(cookie, NOON) is None
    access.enable_user("ann", by="dana", now=NOON)
    assert access.principal_of_session(cookie, NOON) is None
    assert access.sign_in("ann", SECRET, HOME, NOON)


def test_the_last_administrator_stays(access: Access) -> None:
    access.create_user("dana", [Role.ADMINISTRATOR], by="cli", now=NOON)
    with pytest.raises(AccessError, match="last administrator"):
        access.disable_user("dana", by="dana", now=NOON)
    with pytest.raises(AccessError, match="last administrator"):
        access.set_roles("dana", [Role.ANALYST], by="dana", now=NOON)
    access.create_user("eva", [Role.ADMINISTRATOR], by="cli", now=NOON)
    access.set_roles("dana", [Role.ANALYST], by="eva", now=NOON)
    with pytest.raises(AccessError, match="last administrator"):
        access.disable_user("eva", by="eva", now=NOON)


def test_a_reset_gives_a_one_time_password_and_ends_sessions(access: Access) -> None:
    access.create_user("ann", [Role.ANALYST], password=SECRET, by="cli", now=NOON)
    cookie = access.sign_in("ann", SECRET, HOME, NOON).cookie
    password = access.reset_password("ann", by="dana", now=NOON)
    assert access.principal_of_session(cookie, NOON) is None
    with pytest.raises(SignInRefused):
        access.sign_in("ann", SECRET, HOME, NOON)
    assert access.sign_in("ann", password, HOME, NOON).must_change_password


def test_an_unknown_user_is_named(access: Access) -> None:
    with pytest.raises(AccessError, match="'zoe'"):
        access.disable_user("zoe", by="cli", now=NOON)


def test_a_token_stands_for_its_roles_until_it_ends(access: Access) -> None:
    secret = access.create_token("shipper", [Role.ENGINEER], lifetime_s=DAY_S, by="cli", now=NOON)
    assert secret.startswith("toc_")
    principal = access.principal_of_token(secret, NOON)
    assert principal is not None
    assert (principal.name, principal.via) == ("token:shipper", "token")
    assert principal.may(Permission.EVENTS_INGEST)
    almost = NOON + timedelta(seconds=DAY_S - 1)
    assert access.principal_of_token(secret, almost) is not None
    assert access.principal_of_token(secret, NOON + timedelta(seconds=DAY_S)) is None


def test_a_token_may_be_narrowed_but_not_widened(access: Access) -> None:
    secret = access.create_token(
        "shipper", [Role.ENGINEER], permissions=[Permission.EVENTS_INGEST], by="cli", now=NOON
    )
    principal = access.principal_of_token(secret, NOON)
    assert principal is not None
    assert principal.permissions == {Permission.EVENTS_INGEST}
    with pytest.raises(AccessError, match="response:approve"):
        access.create_token(
            "x", [Role.ENGINEER], permissions=[Permission.RESPONSE_APPROVE], by="cli", now=NOON
        )


def test_a_revoked_token_ends_at_once(access: Access) -> None:
    secret = access.create_token("t", [Role.HUNTER], by="cli", now=NOON)
    (token,) = access.tokens()
    access.revoke_token(token.id, by="cli", now=NOON)
    assert access.principal_of_token(secret, NOON) is None
    assert access.tokens()[0].revoked_at == NOON
    with pytest.raises(AccessError, match="already revoked"):
        access.revoke_token(token.id, by="cli", now=NOON)
    with pytest.raises(AccessError, match="'token-x'"):
        access.revoke_token("token-x", by="cli", now=NOON)


@pytest.mark.parametrize("bearer", ["", "toc_", "toc_x", "x", "toc_\ud800", "toc_" + "a" * 10_000])
def test_a_foreign_token_is_no_one(access: Access, bearer: str) -> None:
    access.create_token("t", [Role.HUNTER], by="cli", now=NOON)
    assert access.principal_of_token(bearer, NOON) is None


def test_the_last_use_is_noted_but_not_at_every_request(access: Access) -> None:
    secret = access.create_token("t", [Role.HUNTER], by="cli", now=NOON)
    for minutes, noted in ((1, 1), (2, 1), (10, 10)):
        access.principal_of_token(secret, NOON + timedelta(minutes=minutes))
        assert access.tokens()[0].last_used_at == NOON + timedelta(minutes=noted)


@pytest.mark.parametrize("lifetime_s", [0, -1, 3651 * DAY_S, float("nan"), float("inf")])
def test_a_token_has_an_end_in_reach(access: Access, lifetime_s: float) -> None:
    with pytest.raises(AccessError, match="can't live"):
        access.create_token("t", [Role.HUNTER], lifetime_s=lifetime_s, by="cli", now=NOON)


def test_a_token_needs_a_name_and_a_role(access: Access) -> None:
    with pytest.raises(AccessError, match="name"):
        access.create_token(" ", [Role.HUNTER], by="cli", now=NOON)
    with pytest.raises(AccessError, match="role"):
        access.create_token("t", [], by="cli", now=NOON)


def test_every_change_of_access_is_audited(access: Access, state: SqliteState) -> None:
    access.create_user("ann", [Role.ANALYST], password=SECRET, by="cli", now=NOON)
    access.sign_in("ann", SECRET, HOME, NOON)
    access.set_roles("ann", [Role.HUNTER], by="dana", now=NOON)
    access.change_password("ann", old=SECRET, new="another long secret", now=NOON)
    access.reset_password("ann", by="dana", now=NOON)
    access.disable_user("ann", by="dana", now=NOON)
    access.enable_user("ann", by="dana", now=NOON)
    access.create_token("t", [Role.HUNTER], by="dana", now=NOON)
    token_id = access.tokens()[0].id
    access.revoke_token(token_id, by="dana", now=NOON)
    access.ensure_administrator(NOON)
    assert actions(state) == [
        ("cli", "user.create", "ann"),
        ("ann", "session.start", HOME),
        ("dana", "user.roles", "ann"),
        ("ann", "user.change_password", "ann"),
        ("dana", "user.reset_password", "ann"),
        ("dana", "user.disable", "ann"),
        ("dana", "user.enable", "ann"),
        ("dana", "token.create", token_id),
        ("dana", "token.revoke", token_id),
        ("first start", "user.create", "administrator"),
    ]
