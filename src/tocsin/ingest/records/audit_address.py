"""A socket address in an audit record (``saddr``, hexadecimal) into what ausearch calls its parts."""

import ipaddress

_UNIX, _IPV4, _IPV6, _NETLINK = 1, 2, 10, 16
_FAMILIES = {_UNIX: "local", _IPV4: "inet", _IPV6: "inet6", _NETLINK: "netlink"}
_SIX = 24
_FOUR = 8


def read_address(text: str) -> dict[str, str]:
    """``saddr_fam`` and, where the family has them, ``laddr`` and ``lport``, or ``path``.

    The family stands in the machine's byte order (little-endian but on s390x), port and address
    in that of the network. Empty when ``text`` is no address.
    """
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return {}
    family = next((kind for kind in (raw[:1], raw[1:2]) if kind and kind != b"\0"), b"")
    name = _FAMILIES.get(family[0]) if family else None
    if name is None:
        return {}
    found = {"saddr_fam": name}
    if family[0] == _IPV4 and len(raw) >= _FOUR:
        found["laddr"] = str(ipaddress.IPv4Address(raw[4:8]))
        found["lport"] = str(int.from_bytes(raw[2:4], "big"))
    elif family[0] == _IPV6 and len(raw) >= _SIX:
        found["laddr"] = str(ipaddress.IPv6Address(raw[8:24]))
        found["lport"] = str(int.from_bytes(raw[2:4], "big"))
    elif family[0] == _UNIX:
        path = raw[2:].lstrip(b"\0").partition(b"\0")[0].decode("utf-8", "replace")
        if path:
            found["path"] = path
    return found
