"""People sign in with a password, stay a while, and are slowed down when they guess."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from tocsin.app.access.access import (
    Access,
    AccessError,
    SignInRefused,
    SignInThrottled,
    WeakPassword,
)
from tocsin.app.access.access_tables import API_TOKENS, AUDIT_ENTRIES, SESSIONS, USERS
from tocsin.app.access.audit import AuditLog
from tocsin.app.access.passwords import Passwords
from tocsin.model.principal import Permission, Role
from tocsin.store.engines.state.sqlite_state import SqliteState

NOON = datetime(2026, 8, 3, 12, tzinfo=UTC)
HOME = "198.51.100.7"
SECRET = "correct horse battery"
HOUR = timedelta(hours=1)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    store = SqliteState(tmp_path / "state.db")
    yield store
    store.close()


@pytest.fixture
def access(state: SqliteState) -> Access:
    return Access(state, AuditLog(), passwords=Passwords(memory_kib=64, rounds=1, lanes=1))


@pytest.fixture
def ann(access: Access) -> Access:
    """Access with the analyst ann, who has a password of her own."""
    access.create_user("Ann", [Role.ANALYST], password=SECRET, by="cli", now=NOON)
    return access


def audited(state: SqliteState) -> list[tuple[str, str, str]]:
    columns = AUDIT_ENTRIES.c
    query = select(columns.actor, columns.action, columns.outcome).order_by(columns.number)
    with state.read() as tx:
        assert AuditLog().verify(tx).ok
        return [(actor, action, outcome) for actor, action, outcome in tx.execute(query)]


def test_a_right_password_opens_a_session(ann: Access) -> None:
    signed = ann.sign_in(" ANN ", SECRET, HOME, NOON)
    found = ann.principal_of_session(signed.cookie, NOON)
    assert found is not None
    principal, csrf = found
    assert (principal.name, principal.roles, principal.via) == ("ann", (Role.ANALYST,), "session")
    assert principal.may(Permission.ALERTS_WRITE)
    assert not principal.may(Permission.RESPONSE_APPROVE)
    assert csrf == signed.csrf
    assert not signed.must_change_password


def test_wrong_password_unknown_name_and_disabled_account_get_one_answer(ann: Access) -> None:
    ann.create_user("bob", [Role.ANALYST], password=SECRET, by="cli", now=NOON)
    ann.disable_user("bob", by="cli", now=NOON)
    answers = set()
    for name, password in (("ann", "wrong"), ("nobody", SECRET), ("bob", SECRET), ("", "")):
        with pytest.raises(SignInRefused) as refused:
            ann.sign_in(name, password, HOME, NOON)
        answers.add(str(refused.value))
    assert len(answers) == 1


def test_an_unknown_name_is_checked_against_a_decoy(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str | None] = []
    fits = Passwords.fits

    def watched(self: Passwords, password: str, password_hash: str | None) -> bool:
        checked.append(password_hash)
        return fits(self, password, password_hash)

    monkeypatch.setattr(Passwords, "fits", watched)
    with pytest.raises(SignInRefused):
        access.sign_in("nobody", SECRET, HOME, NOON)
    assert checked == [None]


def test_no_secret_is_stored(ann: Access, state: SqliteState) -> None:
    cookie = ann.sign_in("ann", SECRET, HOME, NOON).cookie
    token = ann.create_token("t", [Role.HUNTER], by="cli", now=NOON)
    with state.read() as tx:
        stored = repr(
            [
                tx.execute(select(table)).all()
                for table in (USERS, SESSIONS, API_TOKENS, AUDIT_ENTRIES)
            ]
        )
    for secret in (SECRET, cookie, token, token.removeprefix("toc_")):
        assert secret not in stored
    assert "$argon2id$" in stored


def test_sessions_differ_and_so_do_their_csrf_tokens(ann: Access) -> None:
    first, second = (ann.sign_in("ann", SECRET, HOME, NOON) for _ in range(2))
    assert first.cookie != second.cookie
    assert first.csrf != second.csrf
    assert first.csrf not in first.cookie


@pytest.mark.parametrize("cookie", ["", "x", "\ud800", "a" * 10_000])
def test_a_foreign_cookie_opens_nothing(ann: Access, cookie: str) -> None:
    assert ann.principal_of_session(cookie, NOON) is None


def test_a_session_ends_by_idling_and_lives_on_with_use(ann: Access) -> None:
    cookie = ann.sign_in("ann", SECRET, HOME, NOON).cookie
    assert ann.principal_of_session(cookie, NOON + 11 * HOUR)
    assert ann.principal_of_session(cookie, NOON + 22 * HOUR)
    assert ann.principal_of_session(cookie, NOON + 34 * HOUR) is None


def test_a_session_ends_by_age_in_any_case(state: SqliteState, ann: Access) -> None:
    short = Access(
        state, AuditLog(), idle_s=7200, longest_s=4 * 3600, passwords=Passwords(memory_kib=64)
    )
    cookie = short.sign_in("ann", SECRET, HOME, NOON).cookie
    for hour in (1, 2, 3):
        assert short.principal_of_session(cookie, NOON + hour * HOUR)
    assert short.principal_of_session(cookie, NOON + 4 * HOUR) is None


def test_ended_sessions_are_swept(ann: Access, state: SqliteState) -> None:
    ann.sign_in("ann", SECRET, HOME, NOON)
    ann.sign_in("ann", SECRET, HOME, NOON + 24 * HOUR)
    with state.read() as tx:
        assert len(tx.execute(select(SESSIONS)).all()) == 1


def test_signing_out_ends_the_session(ann: Access, state: SqliteState) -> None:
    cookie = ann.sign_in("ann", SECRET, HOME, NOON).cookie
    ann.sign_out(cookie, NOON)
    assert ann.principal_of_session(cookie, NOON) is None
    ann.sign_out(cookie, NOON)
    assert audited(state)[-1] == ("ann", "session.end", "done")


def test_guessing_is_slowed_down_more_and_more(ann: Access) -> None:
    for _ in range(5):
        with pytest.raises(SignInRefused):
            ann.sign_in("ann", "wrong", HOME, NOON)
    with pytest.raises(SignInThrottled) as first:
        ann.sign_in("ann", SECRET, HOME, NOON)
    assert 0 < first.value.retry_after_s <= 61
    with pytest.raises(SignInRefused):
        ann.sign_in("ann", "wrong", HOME, NOON + timedelta(seconds=61))
    with pytest.raises(SignInThrottled) as second:
        ann.sign_in("ann", SECRET, HOME, NOON + timedelta(seconds=61))
    assert second.value.retry_after_s > 100
    assert ann.sign_in("ann", SECRET, HOME, NOON + timedelta(seconds=200))


def test_unknown_names_are_slowed_down_alike(ann: Access) -> None:
    for _ in range(5):
        with pytest.raises(SignInRefused):
            ann.sign_in("nobody", "wrong", HOME, NOON)
    with pytest.raises(SignInThrottled):
        ann.sign_in("nobody", "wrong", HOME, NOON)


def test_no_one_can_lock_someone_out_from_elsewhere(ann: Access) -> None:
    for _ in range(5):
        with pytest.raises(SignInRefused):
            ann.sign_in("ann", "wrong", "203.0.113.66", NOON)
    assert ann.sign_in("ann", SECRET, HOME, NOON)


def test_one_address_trying_many_names_is_slowed_down(ann: Access) -> None:
    for number in range(30):
        with pytest.raises(SignInRefused):
            ann.sign_in(f"user{number}", "Summer2026!!", "2001:db8::1", NOON)
    with pytest.raises(SignInThrottled):
        ann.sign_in("ann", SECRET, "2001:db8::2", NOON)
    assert ann.sign_in("ann", SECRET, "2001:db8:1::2", NOON)


def test_a_success_clears_the_count(ann: Access) -> None:
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(SignInRefused):
                ann.sign_in("ann", "wrong", HOME, NOON)
        ann.sign_in("ann", SECRET, HOME, NOON)


def test_tries_are_forgotten_after_a_while(ann: Access) -> None:
    for _ in range(5):
        with pytest.raises(SignInRefused):
            ann.sign_in("ann", "wrong", HOME, NOON)
    with pytest.raises(SignInRefused):
        ann.sign_in("ann", "wrong", HOME, NOON + 3 * HOUR)
    assert ann.sign_in("ann", SECRET, HOME, NOON + 3 * HOUR)


def test_refusals_are_audited(ann: Access, state: SqliteState) -> None:
    with pytest.raises(SignInRefused):
        ann.sign_in("x" * 5000 + "\ud800", "wrong", HOME, NOON)
    actor, action, outcome = audited(state)[-1]
    assert (len(actor), action, outcome) == (64, "session.start", "refused")


def test_changing_the_password_ends_the_other_sessions(ann: Access) -> None:
    here, there = (ann.sign_in("ann", SECRET, HOME, NOON).cookie for _ in range(2))
    new = "another long secret"
    ann.change_password("ann", old=SECRET, new=new, now=NOON, keep_cookie=here)
    assert ann.principal_of_session(here, NOON)
    assert ann.principal_of_session(there, NOON) is None
    with pytest.raises(SignInRefused):
        ann.sign_in("ann", SECRET, HOME, NOON)
    assert ann.sign_in("ann", new, HOME, NOON)


def test_the_old_password_is_asked_for_and_can_not_be_guessed(ann: Access) -> None:
    for _ in range(5):
        with pytest.raises(SignInRefused):
            ann.change_password("ann", old="wrong", new="another long secret", now=NOON)
    with pytest.raises(SignInThrottled):
        ann.change_password("ann", old=SECRET, new="another long secret", now=NOON)


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ("short", "12 or more"),
        ("x" * 2000, "at most"),
        ("I am ANN and long", "user's name"),
        ("abababababab", "too few"),
        (SECRET, "old one"),
    ],
)
def test_weak_passwords_are_refused_with_the_reason(ann: Access, new: str, why: str) -> None:
    with pytest.raises(WeakPassword, match=why):
        ann.change_password("ann", old=SECRET, new=new, now=NOON)


def test_a_hash_of_weaker_parameters_is_renewed_at_sign_in(ann: Access, state: SqliteState) -> None:
    def kept() -> str:
        with state.read() as tx:
            return str(tx.execute(select(USERS.c.password_hash)).scalar_one())

    assert "m=64,t=1,p=1" in kept()
    stronger = Access(state, AuditLog(), passwords=Passwords(memory_kib=128, rounds=2, lanes=1))
    stronger.sign_in("ann", SECRET, HOME, NOON)
    assert "m=128,t=2,p=1" in kept()
    assert stronger.sign_in("ann", SECRET, HOME, NOON)


def test_the_default_hash_is_argon2id_with_the_parameters_of_rfc_9106() -> None:
    assert Passwords().hash("x").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_principal_of_this_machine(ann: Access) -> None:
    assert ann.principal("Ann").via == "cli"
    ann.disable_user("ann", by="cli", now=NOON)
    with pytest.raises(AccessError, match="disabled"):
        ann.principal("ann")
