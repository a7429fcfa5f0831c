"""Slows down who guesses passwords: by name and address, and by address over all names.

A tries counts before it is checked, so that tries at the same time can't slip past the limit. No
name is ever blocked for everyone: that would let anyone lock anyone out.
"""

import hashlib
import ipaddress
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from tocsin.app.access.access_errors import SignInThrottled
from tocsin.app.access.access_tables import SIGN_IN_ATTEMPTS

FREE_TRIES = 5
FREE_TRIES_OF_ADDRESS = 30
FIRST_BLOCK_S = 60
LONGEST_BLOCK_S = 3600
_FORGOTTEN_AFTER = timedelta(hours=2)


def count_try(tx: Connection, name: str, address: str, now: datetime) -> None:
    """Count a try; raises ``SignInThrottled`` (and counts nothing) while blocked.

    After five failures of one name from one address, or thirty from one address, each further
    try must wait twice as long as the one before: a minute at first, an hour at most.
    """
    columns = SIGN_IN_ATTEMPTS.c
    tx.execute(delete(SIGN_IN_ATTEMPTS).where(columns.last_at < now - _FORGOTTEN_AFTER))
    limits = _limits(name, address)
    query = select(SIGN_IN_ATTEMPTS).where(columns.digest.in_(list(limits)))
    found = {row["digest"]: row for row in tx.execute(query).mappings()}
    blocked = [row["blocked_until"] for row in found.values() if row["blocked_until"] is not None]
    wait_s = max(((until - now).total_seconds() for until in blocked), default=0.0)
    if wait_s > 0:
        raise SignInThrottled(int(wait_s) + 1)
    for digest, limit in limits.items():
        failures = found[digest]["failures"] + 1 if digest in found else 1
        values = {
            "failures": failures,
            "last_at": now,
            "blocked_until": _blocked_until(failures, limit, now),
        }
        if digest in found:
            tx.execute(update(SIGN_IN_ATTEMPTS).where(columns.digest == digest).values(**values))
        else:
            tx.execute(insert(SIGN_IN_ATTEMPTS).values(digest=digest, **values))


def forget_tries(tx: Connection, name: str, address: str) -> None:
    """After a success: clear name and address together, take the one try from the address."""
    columns = SIGN_IN_ATTEMPTS.c
    pair, of_address = _limits(name, address)
    tx.execute(delete(SIGN_IN_ATTEMPTS).where(columns.digest == pair))
    tx.execute(
        update(SIGN_IN_ATTEMPTS)
        .where(columns.digest == of_address)
        .values(failures=columns.failures - 1, blocked_until=None)
    )


def _limits(name: str, address: str) -> dict[str, int]:
    place = _place(address)
    return {
        _digest("pair", name, place): FREE_TRIES,
        _digest("address", place): FREE_TRIES_OF_ADDRESS,
    }


def _place(address: str) -> str:
    """The address, for IPv6 the /64 one customer has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _blocked_until(failures: int, limit: int, now: datetime) -> datetime | None:
    over = failures - limit
    if over < 0:
        return None
    return now + timedelta(seconds=min(LONGEST_BLOCK_S, FIRST_BLOCK_S * 2 ** min(over, 10)))


def _digest(*parts: str) -> str:
    text = "\0".join(parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
