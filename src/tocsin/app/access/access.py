"""Who may come in: people by password and session, programs by token; all of it audited."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, RowMapping, update

from tocsin.app.access.access_errors import (
    AccessError,
    SignInRefused,
    SignInThrottled,
    WeakPassword,
)
from tocsin.app.access.access_tables import USERS
from tocsin.app.access.audit import AuditLog
from tocsin.app.access.known_tokens import KnownTokens
from tocsin.app.access.passwords import Passwords, check_new_password, one_time_password
from tocsin.app.access.sessions import (
    SessionLife,
    SignedIn,
    csrf_of,
    end_session,
    end_sessions_of,
    session_user,
    start_session,
    sweep_sessions,
    touch_session,
)
from tocsin.app.access.throttle import count_try, forget_tries
from tocsin.app.access.tokens import (
    ApiToken,
    add_token,
    all_tokens,
    end_token,
    principal_of_token,
    should_touch,
    token_of_secret,
    touch_token,
)
from tocsin.app.access.users import (
    User,
    add_user,
    all_users,
    bare_name,
    check_administrator_stays,
    checked_roles,
    known_user,
    principal_of,
    set_password,
    user_of,
    user_row,
)
from tocsin.model.principal import Permission, Principal, Role
from tocsin.store.ports import StateStore, StoreError

_log = structlog.get_logger()

__all__ = ["Access", "AccessError", "SignInRefused", "SignInThrottled", "SignedIn", "WeakPassword"]

FIRST_ADMINISTRATOR = "administrator"
_REFUSAL = "name and password do not fit; a one-time password works only once"


class Access:
    """Users, sessions and tokens. Every method is a transaction of its own, with its audit entry."""

    def __init__(
        self,
        state: StateStore,
        audit: AuditLog,
        *,
        idle_s: float = 12 * 3600,
        longest_s: float = 7 * 86400,
        passwords: Passwords | None = None,
    ) -> None:
        """A session ends after ``idle_s`` without a request and ``longest_s`` in any case."""
        self._state = state
        self._audit = audit
        self._life = SessionLife(timedelta(seconds=idle_s), timedelta(seconds=longest_s))
        self._passwords = passwords or Passwords()
        self._known_tokens = KnownTokens()

    # People

    def ensure_administrator(self, now: datetime) -> str | None:
        """The one-time password of ``administrator`` while no administrator has come in yet.

        Each start gives a new one until the first has been changed; None from then on, and when
        another administrator was created by hand.
        """
        with self._state.read() as tx:
            if not _awaits_first_administrator(tx):
                return None
        password = one_time_password()
        password_hash = self._passwords.hash(password)
        with self._state.begin() as tx:
            if not _awaits_first_administrator(tx):
                return None
            if user_row(tx, FIRST_ADMINISTRATOR) is None:
                add_user(
                    tx,
                    FIRST_ADMINISTRATOR,
                    (Role.ADMINISTRATOR,),
                    password_hash,
                    must_change=True,
                    by="first start",
                    now=now,
                )
                self._note(tx, "first start", "user.create", FIRST_ADMINISTRATOR, now)
            else:
                set_password(tx, FIRST_ADMINISTRATOR, password_hash, must_change=True)
                end_sessions_of(tx, FIRST_ADMINISTRATOR)
                self._note(tx, "start", "user.reset_password", FIRST_ADMINISTRATOR, now)
        return password

    def create_user(
        self,
        name: str,
        roles: Iterable[Role],
        *,
        password: str | None = None,
        by: str,
        now: datetime,
    ) -> str:
        """Add a user and return the password.

        Without ``password`` it is a one-time password that must be changed at the first sign-in.
        """
        bare = bare_name(name)
        held = checked_roles(roles)
        if password is not None:
            check_new_password(bare, password)
        given = password if password is not None else one_time_password()
        password_hash = self._passwords.hash(given)
        with self._state.begin() as tx:
            add_user(tx, bare, held, password_hash, must_change=password is None, by=by, now=now)
            self._note(tx, by, "user.create", bare, now, f"roles: {', '.join(held)}")
        return given

    def users(self) -> list[User]:
        """Every user by name."""
        with self._state.read() as tx:
            return all_users(tx)

    def principal(self, name: str) -> Principal:
        """The user as one who acts on this machine; raises ``AccessError`` when not allowed in."""
        with self._state.read() as tx:
            user = known_user(tx, name)
        if user.disabled:
            raise AccessError(f"{user.name} is disabled; enable the account first")
        return principal_of(user, "cli")

    def set_roles(self, name: str, roles: Iterable[Role], *, by: str, now: datetime) -> User:
        """Give a user these roles instead of the present ones; effective at the next request."""
        held = checked_roles(roles)
        with self._state.begin() as tx:
            user = known_user(tx, name)
            if Role.ADMINISTRATOR in user.roles and Role.ADMINISTRATOR not in held:
                check_administrator_stays(tx, user.name)
            values = {"roles": [role.value for role in held]}
            tx.execute(update(USERS).where(USERS.c.name == user.name).values(**values))
            detail = f"{', '.join(user.roles)} -> {', '.join(held)}"
            self._note(tx, by, "user.roles", user.name, now, detail)
            return known_user(tx, name)

    def disable_user(self, name: str, *, by: str, now: datetime) -> User:
        """Keep a user out and end their sessions; the name stays in the records."""
        with self._state.begin() as tx:
            user = known_user(tx, name)
            if Role.ADMINISTRATOR in user.roles:
                check_administrator_stays(tx, user.name)
            return self._set_disabled(tx, user, disabled=True, by=by, now=now)

    def enable_user(self, name: str, *, by: str, now: datetime) -> User:
        with self._state.begin() as tx:
            return self._set_disabled(tx, known_user(tx, name), disabled=False, by=by, now=now)

    def reset_password(self, name: str, *, by: str, now: datetime) -> str:
        """A new one-time password for a user; the old one and all sessions end."""
        password = one_time_password()
        password_hash = self._passwords.hash(password)
        with self._state.begin() as tx:
            user = known_user(tx, name)
            set_password(tx, user.name, password_hash, must_change=True)
            end_sessions_of(tx, user.name)
            self._note(tx, by, "user.reset_password", user.name, now)
        return password

    def must_change_password(self, name: str) -> bool:
        """Whether the user is in on a one-time password and may do nothing before changing it."""
        with self._state.read() as tx:
            return known_user(tx, name).must_change

    def change_password(
        self, name: str, *, old: str, new: str, now: datetime, keep_cookie: str = ""
    ) -> None:
        """Set one's own password; ends all one's sessions but the one of ``keep_cookie``.

        Raises ``SignInRefused`` for a wrong old password, ``WeakPassword`` for a new one that is
        against the policy, ``SignInThrottled`` after five wrong tries.
        """
        bare = bare_name(name)
        with self._state.begin() as tx:
            row = user_row(tx, bare)
            count_try(tx, bare, "change of password", now)
        if row is None or not self._passwords.fits(old, row["password_hash"]):
            raise SignInRefused("the old password does not fit; type the one you signed in with")
        check_new_password(bare, new, old)
        password_hash = self._passwords.hash(new)
        with self._state.begin() as tx:
            forget_tries(tx, bare, "change of password")
            set_password(tx, bare, password_hash, must_change=False)
            end_sessions_of(tx, bare, but=keep_cookie)
            self._note(tx, bare, "user.change_password", bare, now)

    # Sessions

    def sign_in(self, name: str, password: str, address: str, now: datetime) -> SignedIn:
        """Start a session; the answer to an unknown name is that to a wrong password.

        Raises ``SignInRefused``, or ``SignInThrottled`` after five failures of a name from one
        address or thirty from one address. A one-time password is used up by this.
        """
        bare = bare_name(name)
        with self._state.begin() as tx:
            count_try(tx, bare, address, now)
            row = user_row(tx, bare)
        fits = self._passwords.fits(password, row["password_hash"] if row is not None else None)
        renewed = self._renewed_hash(password, row) if fits and row is not None else None
        with self._state.begin() as tx:
            # Read again: the account may have changed while the password was checked.
            now_row = user_row(tx, bare)
            if (
                not fits
                or row is None
                or now_row is None
                or now_row["password_hash"] != row["password_hash"]
                or now_row["disabled"]
                or (now_row["must_change"] and now_row["one_time_used_at"] is not None)
            ):
                self._note(tx, bare[:64], "session.start", address[:64], now, outcome="refused")
                cookie = None
            else:
                forget_tries(tx, bare, address)
                cookie = self._begin_session(tx, user_of(now_row), renewed, address, now)
                user = known_user(tx, bare)
        if cookie is None:
            raise SignInRefused(_REFUSAL)
        return SignedIn(cookie, csrf_of(cookie), principal_of(user, "session"), user.must_change)

    def principal_of_session(self, cookie: str, now: datetime) -> tuple[Principal, str] | None:
        """Who a cookie belongs to and the session's CSRF token; None when it opens nothing."""
        if not cookie:
            return None
        with self._state.read() as tx:
            found = session_user(tx, cookie, self._life, now)
            if found is None:
                return None
            name, is_stale = found
            user = known_user(tx, name)
        if user.disabled:
            return None
        if is_stale:
            with self._state.begin() as tx:
                touch_session(tx, cookie, now)
        return principal_of(user, "session"), csrf_of(cookie)

    def sign_out(self, cookie: str, now: datetime) -> None:
        """End a session; one that has already ended is no error."""
        with self._state.begin() as tx:
            name = end_session(tx, cookie)
            if name is not None:
                self._note(tx, name, "session.end", name, now)

    # Tokens

    def create_token(
        self,
        name: str,
        roles: Iterable[Role],
        *,
        permissions: Iterable[Permission] = (),
        lifetime_s: float = 90 * 86400,
        by: str,
        now: datetime,
    ) -> str:
        """A new token's secret, shown this once; ``permissions`` narrow what its roles may do."""
        with self._state.begin() as tx:
            token, secret = add_token(
                tx, name, roles, permissions, lifetime_s=lifetime_s, by=by, now=now
            )
            detail = (
                f"name: {token.name}; roles: {', '.join(token.roles)}; "
                f"permissions: {', '.join(token.permissions) or 'of the roles'}; "
                f"expires: {token.expires_at.isoformat()}"
            )
            self._note(tx, by, "token.create", token.id, now, detail)
        return secret

    def tokens(self) -> list[ApiToken]:
        """Every token, newest first; never their secrets."""
        with self._state.read() as tx:
            return all_tokens(tx)

    def revoke_token(self, token_id: str, *, by: str, now: datetime) -> None:
        """End a token at once; raises ``AccessError`` when there is no such token or it has ended."""
        with self._state.begin() as tx:
            token = end_token(tx, token_id, now)
            self._note(tx, by, "token.revoke", token_id, now, f"name: {token.name}")
        self._known_tokens.forget()

    def principal_of_token(self, bearer: str, now: datetime) -> Principal | None:
        """Who a bearer token stands for; None when unknown, expired or revoked.

        What another process revokes is noticed a second later at most.
        """
        known = self.known_principal(bearer, now)
        if known is not None:
            return known
        look = self._known_tokens.look()
        with self._state.read() as tx:
            token = token_of_secret(tx, bearer, now)
        if token is None:
            return None
        self._known_tokens.note(bearer, token, look, now)
        if should_touch(token, now):
            self._touch(token, now)
        return principal_of_token(token)

    def known_principal(self, bearer: str, now: datetime) -> Principal | None:
        """Who a bearer token stands for that was good a moment ago; waits for nothing."""
        token = self._known_tokens.of(bearer, now)
        return principal_of_token(token) if token is not None else None

    def _touch(self, token: ApiToken, now: datetime) -> None:
        try:
            with self._state.begin() as tx:
                touch_token(tx, token.id, now)
        except StoreError as error:  # a full disk turns nobody away whose records still have room
            _log.warning("token_use_not_noted", token=token.id, reason=str(error))

    def _begin_session(
        self, tx: Connection, user: User, renewed: str | None, address: str, now: datetime
    ) -> str:
        sweep_sessions(tx, self._life, now)
        values: dict[str, object] = {"last_sign_in_at": now}
        if user.must_change:
            values["one_time_used_at"] = now
        if renewed is not None:
            values["password_hash"] = renewed
        tx.execute(update(USERS).where(USERS.c.name == user.name).values(**values))
        self._note(tx, user.name, "session.start", address[:64], now)
        return start_session(tx, user.name, address, now)

    def _renewed_hash(self, password: str, row: RowMapping) -> str | None:
        """A hash with today's parameters when the kept one was made with others."""
        is_outdated = self._passwords.is_outdated(row["password_hash"])
        return self._passwords.hash(password) if is_outdated else None

    def _set_disabled(
        self, tx: Connection, user: User, *, disabled: bool, by: str, now: datetime
    ) -> User:
        tx.execute(update(USERS).where(USERS.c.name == user.name).values(disabled=disabled))
        end_sessions_of(tx, user.name)
        self._note(tx, by, "user.disable" if disabled else "user.enable", user.name, now)
        return known_user(tx, user.name)

    def _note(
        self,
        tx: Connection,
        actor: str,
        action: str,
        subject: str,
        now: datetime,
        detail: str = "",
        outcome: str = "done",
    ) -> None:
        self._audit.append(
            tx,
            actor=actor,
            action=action,
            subject=subject,
            detail=detail,
            outcome=outcome,
            now=now,
        )


def _awaits_first_administrator(tx: Connection) -> bool:
    """Whether no administrator has a password of their own, nor was one created by hand."""
    administrators = [
        user for user in all_users(tx) if Role.ADMINISTRATOR in user.roles and not user.disabled
    ]
    return all(user.name == FIRST_ADMINISTRATOR and user.must_change for user in administrators)
