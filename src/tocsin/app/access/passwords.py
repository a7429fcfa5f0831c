"""Passwords: how they are kept, what a new one must be, and ones made for a first sign-in."""

import secrets
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tocsin.app.access.access_errors import WeakPassword

SHORTEST = 12
LONGEST = 1024
_FEWEST_CHARACTERS = 5
_READABLE = "abcdefghijkmnpqrstuvwxyz23456789"


class Passwords:
    """Hashes and checks passwords with argon2id (RFC 9106, second recommended parameters)."""

    def __init__(self, *, memory_kib: int = 65536, rounds: int = 3, lanes: int = 4) -> None:
        self._hasher = PasswordHasher(time_cost=rounds, memory_cost=memory_kib, parallelism=lanes)

    def hash(self, password: str) -> str:
        return self._hasher.hash(_bytes(password))

    def fits(self, password: str, password_hash: str | None) -> bool:
        """Whether the password is right; takes as long when there is no such user (None)."""
        decoy = self._decoy
        is_known = password_hash is not None
        if len(password) > LONGEST:
            return False
        try:
            return self._hasher.verify(password_hash or decoy, _bytes(password)) and is_known
        except (VerificationError, InvalidHashError):
            return False

    def is_outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other parameters than ours."""
        return self._hasher.check_needs_rehash(password_hash)

    @cached_property
    def _decoy(self) -> str:
        return self.hash(secrets.token_hex(16))


def check_new_password(name: str, password: str, old: str = "") -> None:
    """Raise ``WeakPassword`` unless it is long enough and not the name, the old one or all alike."""
    if len(password) < SHORTEST:
        raise WeakPassword(f"the password has {len(password)} characters; use {SHORTEST} or more")
    if len(password) > LONGEST:
        raise WeakPassword(f"the password is too long; use at most {LONGEST} characters")
    if name.casefold() in password.casefold():
        raise WeakPassword("the password contains the user's name; choose another")
    if len(set(password)) < _FEWEST_CHARACTERS:
        raise WeakPassword("the password repeats too few characters; choose another")
    if password == old:
        raise WeakPassword("the new password is the old one; choose another")


def one_time_password() -> str:
    """Twenty readable characters in groups of five (100 bits)."""
    characters = [secrets.choice(_READABLE) for _ in range(20)]
    return "-".join("".join(characters[start : start + 5]) for start in range(0, 20, 5))


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
