"""Sessions: random cookies of which only the hash is kept, ended by idling, age or a person."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, or_, select, update

from tocsin.app.access.access_tables import SESSIONS
from tocsin.model.principal import Principal

_MOST_AN_ADDRESS_TEXT = 64


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session. ``cookie`` is shown this once; ``csrf`` belongs into each of its forms."""

    cookie: str
    csrf: str
    principal: Principal
    must_change_password: bool


@dataclass(frozen=True, slots=True)
class SessionLife:
    """How long sessions last: without a request, and in any case."""

    idle: timedelta
    longest: timedelta

    @property
    def touched_every(self) -> timedelta:
        """How stale ``last_seen_at`` may be, so that not every request writes."""
        return min(timedelta(minutes=5), self.idle / 10)


def start_session(tx: Connection, user_name: str, address: str, now: datetime) -> str:
    """A fresh 256-bit cookie; what the browser sent before is never taken over."""
    cookie = secrets.token_urlsafe(32)
    tx.execute(
        insert(SESSIONS).values(
            digest=_digest(cookie),
            user_name=user_name,
            address=address[:_MOST_AN_ADDRESS_TEXT],
            created_at=now,
            last_seen_at=now,
        )
    )
    return cookie


def session_user(
    tx: Connection, cookie: str, life: SessionLife, now: datetime
) -> tuple[str, bool] | None:
    """The user's name and whether the session should be touched; None when it has ended."""
    query = select(SESSIONS).where(SESSIONS.c.digest == _digest(cookie))
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        return None
    if now - row["last_seen_at"] >= life.idle or now - row["created_at"] >= life.longest:
        return None
    return row["user_name"], now - row["last_seen_at"] >= life.touched_every


def touch_session(tx: Connection, cookie: str, now: datetime) -> None:
    digest = _digest(cookie)
    tx.execute(update(SESSIONS).where(SESSIONS.c.digest == digest).values(last_seen_at=now))


def end_session(tx: Connection, cookie: str) -> str | None:
    """End one session; whose it was."""
    columns = SESSIONS.c
    digest = _digest(cookie)
    query = select(columns.user_name).where(columns.digest == digest)
    name: str | None = tx.execute(query).scalar_one_or_none()
    tx.execute(delete(SESSIONS).where(columns.digest == digest))
    return name


def end_sessions_of(tx: Connection, user_name: str, *, but: str = "") -> int:
    """End all sessions of a user but the one with that cookie; how many."""
    columns = SESSIONS.c
    kept = _digest(but) if but else ""
    ended = delete(SESSIONS).where(columns.user_name == user_name, columns.digest != kept)
    return tx.execute(ended).rowcount


def sweep_sessions(tx: Connection, life: SessionLife, now: datetime) -> None:
    """Remove the rows of sessions that have ended by time."""
    columns = SESSIONS.c
    over = or_(columns.last_seen_at <= now - life.idle, columns.created_at <= now - life.longest)
    tx.execute(delete(SESSIONS).where(over))


def csrf_of(cookie: str) -> str:
    """The token that proves a form came from a page of this session (derived, not stored)."""
    mac = hmac.new(cookie.encode(), b"tocsin csrf", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).hexdigest()
