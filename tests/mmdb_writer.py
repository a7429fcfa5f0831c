"""Writes small databases in the MaxMind DB format (2.0, IPv6 tree, 24-bit records) for tests."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any


class Short(int):
    """A number of 16 bits, as readers want some numbers of the metadata."""


class Long(int):
    """A number of 64 bits."""


_MARKER = b"\xab\xcd\xefMaxMind.com"


def mmdb(records: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The database in which each network (CIDR text) has its record."""
    data = bytearray()
    root: list[Any] = [None, None]
    for network, record in sorted(records.items(), key=lambda item: ip_network(item[0]).prefixlen):
        _insert(root, ip_network(network), len(data))
        data += _encoded(record)
    nodes = _numbered(root)
    tree = bytearray()
    for node in nodes:
        for side in node:
            tree += _pointer(side, nodes).to_bytes(3, "big")
    metadata = {
        "binary_format_major_version": Short(2),
        "binary_format_minor_version": Short(0),
        "build_epoch": Long(1_780_000_000),
        "database_type": "Test",
        "description": {"en": "made by a test"},
        "ip_version": Short(6),
        "languages": ["en"],
        "node_count": len(nodes),
        "record_size": Short(24),
    }
    return bytes(tree) + bytes(16) + bytes(data) + _MARKER + _encoded(metadata)


def _insert(node: list[Any], network: IPv4Network | IPv6Network, offset: int) -> None:
    length = network.prefixlen + (96 if network.version == 4 else 0)
    number = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
    for place in range(length - 1, 0, -1):
        bit = number >> place & 1
        if not isinstance(node[bit], list):
            node[bit] = [node[bit], node[bit]]
        node = node[bit]
    node[number & 1] = offset


def _numbered(root: list[Any]) -> list[list[Any]]:
    nodes = [root]
    for node in nodes:
        nodes += [side for side in node if isinstance(side, list)]
    return nodes


def _pointer(side: Any, nodes: list[list[Any]]) -> int:
    if isinstance(side, list):
        return next(at for at, node in enumerate(nodes) if node is side)
    return len(nodes) if side is None else len(nodes) + 16 + int(side)


def _encoded(value: Any) -> bytes:
    if isinstance(value, Mapping):
        inner = b"".join(_encoded(key) + _encoded(one) for key, one in value.items())
        return _control(7, len(value)) + inner
    if isinstance(value, list):
        return _control(11, len(value)) + b"".join(map(_encoded, value))
    if isinstance(value, Short):
        return _control(5, 2) + value.to_bytes(2, "big")
    if isinstance(value, Long):
        return _control(9, 8) + value.to_bytes(8, "big")
    if isinstance(value, int):
        digits = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return _control(6, len(digits)) + digits
    text = str(value).encode()
    return _control(2, len(text)) + text


def _control(kind: int, size: int) -> bytes:
    more = b""
    if size >= 29:
        size, more = 29, bytes([size - 29])
    return (bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])) + more
