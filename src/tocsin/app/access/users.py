"""The users: who may sign in, in which roles."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, select, update

from tocsin.app.access.access_errors import AccessError
from tocsin.app.access.access_tables import USERS
from tocsin.app.access.permissions import permissions_of
from tocsin.model.principal import Principal, Role

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


@dataclass(frozen=True, slots=True)
class User:
    """Someone who may sign in. ``must_change``: has only a one-time password so far."""

    name: str
    roles: tuple[Role, ...]
    disabled: bool
    must_change: bool
    created_at: datetime
    created_by: str
    last_sign_in_at: datetime | None


def bare_name(name: str) -> str:
    """A name as it is kept: lower case, no spaces around."""
    return name.strip().lower()


def all_users(tx: Connection) -> list[User]:
    """Every user by name."""
    return [user_of(row) for row in tx.execute(select(USERS).order_by(USERS.c.name)).mappings()]


def user_row(tx: Connection, name: str) -> RowMapping | None:
    """The row of a user; None also for text that can't be a name."""
    if not _NAME.fullmatch(bare_name(name)):
        return None
    query = select(USERS).where(USERS.c.name == bare_name(name))
    return tx.execute(query).mappings().one_or_none()


def known_user(tx: Connection, name: str) -> User:
    """The user; raises ``AccessError`` when there is none of that name."""
    row = user_row(tx, name)
    if row is None:
        raise AccessError(f"there is no user {name[:64]!r}; list them with: tocsin admin user list")
    return user_of(row)


def add_user(
    tx: Connection,
    name: str,
    roles: tuple[Role, ...],
    password_hash: str,
    *,
    must_change: bool,
    by: str,
    now: datetime,
) -> None:
    """Add a user; raises ``AccessError`` for a name that is taken or can't be one."""
    if not _NAME.fullmatch(name):
        raise AccessError(
            f"{name[:64]!r} can't be a user name; use 1-64 letters, digits and . _ @ + -, "
            "beginning with a letter or digit"
        )
    if user_row(tx, name) is not None:
        raise AccessError(f"there already is a user {name!r}; choose another name")
    tx.execute(
        insert(USERS).values(
            name=name,
            password_hash=password_hash,
            roles=[role.value for role in roles],
            disabled=False,
            must_change=must_change,
            one_time_used_at=None,
            created_at=now,
            created_by=by,
            last_sign_in_at=None,
        )
    )


def set_password(tx: Connection, name: str, password_hash: str, *, must_change: bool) -> None:
    tx.execute(
        update(USERS)
        .where(USERS.c.name == name)
        .values(password_hash=password_hash, must_change=must_change, one_time_used_at=None)
    )


def checked_roles(roles: Iterable[Role]) -> tuple[Role, ...]:
    """The roles without repeats in the order of their definition; raises when there is none."""
    wished = {Role(role) for role in roles}
    if not wished:
        raise AccessError(f"at least one role is needed; there are: {', '.join(Role)}")
    return tuple(role for role in Role if role in wished)


def check_administrator_stays(tx: Connection, name: str) -> None:
    """Raise ``AccessError`` when ``name`` is the only one who could still give out access."""
    others = [
        user
        for user in all_users(tx)
        if Role.ADMINISTRATOR in user.roles and not user.disabled and user.name != name
    ]
    if not others:
        raise AccessError(
            f"{name} is the last administrator; give someone else that role before taking it away"
        )


def user_of(row: RowMapping) -> User:
    return User(
        name=row["name"],
        roles=tuple(Role(role) for role in row["roles"]),
        disabled=row["disabled"],
        must_change=row["must_change"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        last_sign_in_at=row["last_sign_in_at"],
    )


def principal_of(user: User, via: str) -> Principal:
    """The user as one who acts; without any permission until a one-time password is changed."""
    allowed = frozenset() if user.must_change else permissions_of(user.roles)
    return Principal(user.name, user.roles, allowed, via)
