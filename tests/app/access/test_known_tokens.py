"""A token that was good a moment ago needs no look at the store, and no longer than that."""

from datetime import UTC, datetime, timedelta

import pytest

from tocsin.app.access.access import Access
from tocsin.app.access.audit import AuditLog
from tocsin.app.access.known_tokens import TRUSTED, KnownTokens
from tocsin.model.principal import Role
from tocsin.store.engines.state.sqlite_state import SqliteState

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def state(tmp_path):
    found = SqliteState(tmp_path / "state.sqlite")
    yield found
    found.close()


@pytest.fixture
def access(state) -> Access:
    return Access(state, AuditLog())


@pytest.fixture
def secret(access) -> str:
    made = access.create_token("t", [Role.HUNTER], by="cli", now=NOON, lifetime_s=3600)
    assert access.known_principal(made, NOON) is None
    assert access.principal_of_token(made, NOON) is not None
    return made


def test_what_was_looked_up_is_known_for_a_moment(access, secret):
    assert access.known_principal(secret, NOON) == access.principal_of_token(secret, NOON)
    assert access.known_principal(secret, NOON + TRUSTED / 2) is not None
    assert access.known_principal(secret, NOON + TRUSTED) is None
    assert access.known_principal(secret, NOON - TRUSTED) is None


def test_a_known_token_asks_nothing_of_the_store(access, secret, monkeypatch):
    monkeypatch.setattr(access, "_state", None)
    assert access.principal_of_token(secret, NOON) is not None


def test_a_known_token_that_is_revoked_ends_at_once(access, secret):
    access.revoke_token(access.tokens()[0].id, by="cli", now=NOON)
    assert access.principal_of_token(secret, NOON) is None


def test_what_another_process_revokes_ends_within_the_moment(access, secret, state):
    Access(state, AuditLog()).revoke_token(access.tokens()[0].id, by="cli", now=NOON)
    assert access.principal_of_token(secret, NOON + TRUSTED) is None


def test_a_known_token_ends_when_it_expires(access):
    secret = access.create_token("t", [Role.HUNTER], by="cli", now=NOON, lifetime_s=0.5)
    assert access.principal_of_token(secret, NOON) is not None
    assert access.principal_of_token(secret, NOON + timedelta(seconds=0.5)) is None


def test_a_token_revoked_while_it_is_looked_up_is_not_known(access, secret):
    (token,) = access.tokens()
    known = KnownTokens()
    look = known.look()
    known.forget()
    known.note(secret, token, look, NOON)
    assert known.of(secret, NOON) is None
    known.note(secret, token, known.look(), NOON)
    assert known.of(secret, NOON) == token


def test_unknown_tokens_are_not_remembered(access, secret):
    assert access.principal_of_token("toc_other", NOON) is None
    assert len(access._known_tokens._looked_up) == 1
