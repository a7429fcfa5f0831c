"""Long lists of indicator values, looked up by what they are: addresses, domains, hashes, texts."""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from ipaddress import ip_network
from socket import inet_aton, inet_ntoa
from typing import Final

from tocsin.detect.rules.value_text import address_in

_HASHES: Final = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{32,128}(?![0-9a-fA-F])")
_HASH: Final = re.compile(r"[0-9a-f]{32,128}")
_DOMAIN: Final = re.compile(r"(?:\*?\.)?[^\s/\\:*?@]{1,253}")
_IPV4: Final = re.compile(r"[0-9.]{7,15}")


class ListKind(StrEnum):
    """What the values of a list are, and so how a field's value is found among them."""

    ADDRESS = "address"
    """The same IP address, or one within a listed network; IPv4-mapped IPv6 as IPv4."""
    DOMAIN = "domain"
    """The same name or one below it, letter case and a last dot aside."""
    HASH = "hash"
    """A hash of 128 bits or more, alone or among others (``MD5=…,SHA256=…``)."""
    TEXT = "text"
    """The whole value, letter case aside."""


class ValueList(tuple[str, ...]):
    """Listed values in one spelling each, found in time that doesn't grow with their number.

    Equal lists are equal tuples; comparing and hashing the same list costs nothing.
    """

    kind: ListKind
    _networks: "dict[int, dict[int, set[int]]]"
    _known: set[str]
    _hash: int

    @classmethod
    def of(cls, kind: ListKind, values: Iterable[str]) -> "ValueList":
        """The list of ``values``, each as ``spelled`` gave it."""
        made = cls(dict.fromkeys(values))
        made.kind = kind
        made._networks = {}
        made._hash = hash((kind, tuple.__hash__(made)))
        made._known = set(made)
        if kind is ListKind.ADDRESS:
            for value in made:
                if "/" in value:
                    made._add_network(value)
        return made

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, ValueList)
            and self.kind == other.kind
            and self._hash == other._hash
            and tuple.__eq__(self, other)
        )

    def __ne__(self, other: object) -> bool:
        return not self == other

    def find(self, text: str) -> str | None:
        """The listed value by which a field's ``text`` is found, or None."""
        if self.kind is ListKind.TEXT:
            return _if_known(text.casefold(), self._known)
        if self.kind is ListKind.ADDRESS:
            return self._find_address(text)
        if self.kind is ListKind.DOMAIN:
            return self._find_domain(text)
        return next(
            (one for one in map(str.lower, _HASHES.findall(text)) if one in self._known), None
        )

    def _find_domain(self, text: str) -> str | None:
        name = text.strip().rstrip(".").casefold()
        while name:
            if name in self._known:
                return name
            name = name.partition(".")[2]
        return None

    def _find_address(self, text: str) -> str | None:
        address = address_in(text.strip())
        if address is None:
            return None
        found = _if_known(str(address), self._known)
        if found is not None:
            return found
        bits, number = address.max_prefixlen, int(address)
        for length, networks in self._networks.get(address.version, {}).items():
            network = number >> (bits - length)
            if network in networks:
                return str(ip_network((network << (bits - length), length)))
        return None

    def _add_network(self, value: str) -> None:
        network = ip_network(value)
        by_length = self._networks.setdefault(network.version, {})
        host_bits = network.max_prefixlen - network.prefixlen
        start = int(network.network_address) >> host_bits
        by_length.setdefault(network.prefixlen, set()).add(start)


def spelled(value: str, kind: ListKind) -> str | None:
    """The one spelling of a listed value, or None when it is no ``kind``."""
    if kind is ListKind.TEXT:
        return value.casefold() or None
    if kind is ListKind.HASH:
        value = value.lower()
        return value if _HASH.fullmatch(value) else None
    if kind is ListKind.DOMAIN:
        if not _DOMAIN.fullmatch(value):
            return None
        return value.removeprefix("*").strip(".").casefold() or None
    return _spelled_address(value)


def _spelled_address(value: str) -> str | None:
    if _IPV4.fullmatch(value):
        try:
            return value if inet_ntoa(inet_aton(value)) == value else None
        except OSError:
            return None
    if "/" in value:
        try:
            network = ip_network(value, strict=False)
        except ValueError:
            return None
        single = network.prefixlen == network.max_prefixlen
        return str(network.network_address) if single else str(network)
    address = address_in(value)
    return None if address is None else str(address)


def lines_of_values(text: str) -> Iterator[tuple[int, str]]:
    """The values of a list file with their lines: one a line, ``#`` begins a remark."""
    for at, line in enumerate(text.splitlines(), 1):
        value = line.strip()
        if value and not value.startswith("#"):
            if " #" in value:
                value = value.partition(" #")[0].rstrip()
            yield at, value


def _if_known(text: str, known: set[str]) -> str | None:
    return text if text in known else None
