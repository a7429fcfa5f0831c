"""The nftables objects we own, as libnftables JSON (libnftables-json(5)): one table, two sets."""

import ipaddress
from typing import Any

TABLE = "tocsin"
FAMILY = "inet"
Json = dict[str, Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SETS = {4: ("deny4", "ipv4_addr", "ip"), 6: ("deny6", "ipv6_addr", "ip6")}
_CHAINS = ("input", "forward", "output")


def set_name(network: Network) -> str:
    return _SETS[network.version][0]


def table_commands() -> list[Json]:
    """Makes table, sets and chains; repeating it changes nothing (rules are flushed, then added)."""
    commands: list[Json] = [{"add": {"table": {"family": FAMILY, "name": TABLE}}}]
    for name, kind, _ in _SETS.values():
        described = {"name": name, "type": kind, "flags": ["interval", "timeout"]}
        commands.append({"add": {"set": {"family": FAMILY, "table": TABLE, **described}}})
    for hook in _CHAINS:
        chain = {"family": FAMILY, "table": TABLE, "name": hook}
        hooked = {"type": "filter", "hook": hook, "prio": -10, "policy": "accept"}
        commands.append({"add": {"chain": {**chain, **hooked}}})
        commands.append({"flush": {"chain": chain}})
        commands.extend(_rule(hook, name, protocol) for name, _, protocol in _SETS.values())
        commands.extend(
            _rule(hook, name, protocol, "daddr") for name, _, protocol in _SETS.values()
        )
    return commands


def _rule(chain: str, set_: str, protocol: str, field: str = "saddr") -> Json:
    match = {
        "op": "==",
        "left": {"payload": {"protocol": protocol, "field": field}},
        "right": f"@{set_}",
    }
    expression = [{"match": match}, {"counter": None}, {"drop": None}]
    return {"add": {"rule": {"family": FAMILY, "table": TABLE, "chain": chain, "expr": expression}}}


def element_command(verb: str, network: Network, timeout_s: int | None = None) -> Json:
    """``add`` or ``delete`` of one network in its set."""
    value: Any = str(network.network_address)
    if network.num_addresses > 1:
        value = {"prefix": {"addr": value, "len": network.prefixlen}}
    if timeout_s is not None:
        value = {"elem": {"val": value, "timeout": timeout_s}}
    name = set_name(network)
    return {verb: {"element": {"family": FAMILY, "table": TABLE, "name": name, "elem": [value]}}}


def elements_in(listing: Json) -> dict[Network, int]:
    """The networks in a ``list set`` answer and the seconds each has left (0 when it has no end)."""
    found: dict[Network, int] = {}
    for item in listing.get("nftables", []):
        for element in item.get("set", {}).get("elem", []):
            held = element.get("elem", {}) if isinstance(element, dict) else {}
            value = held.get("val", element)
            found[_network(value)] = int(held.get("expires", 0))
    return found


def _network(value: Any) -> Network:
    if isinstance(value, dict):
        prefix = value["prefix"]
        return ipaddress.ip_network(f"{prefix['addr']}/{prefix['len']}")
    return ipaddress.ip_network(value)
