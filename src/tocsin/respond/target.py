"""Network targets in OpenC2's words, read strictly: one text for one meaning."""

import ipaddress

from tocsin.model.response import Target
from tocsin.respond.errors import BadRequest

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

IPV4_NET = "ipv4_net"
IPV6_NET = "ipv6_net"
NETWORK_KINDS = (IPV4_NET, IPV6_NET)


def network_of(target: Target) -> Network:
    """The network a target names; an IPv4 address written as IPv6 is the IPv4 address it means.

    Raises ``BadRequest`` for another kind, for text that is no address, and for host bits
    beyond the prefix (``198.51.100.7/24`` could mean two things).
    """
    if target.kind not in NETWORK_KINDS:
        raise BadRequest(f"target kind {target.kind!r} is not an address; use ipv4_net or ipv6_net")
    try:
        network = ipaddress.ip_network(target.value.strip(), strict=True)
    except ValueError as error:
        raise BadRequest(
            f"target {target.value!r} is not an address or network: {error}"
        ) from error
    if isinstance(network, ipaddress.IPv6Network):
        if network.network_address.scope_id is not None:
            raise BadRequest(f"target {target.value!r} has a zone; write the address alone")
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen >= 96:
            return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
    return network


def network_target(text: str) -> Target:
    """The target an address or network text means, in its family and shortest form."""
    family = IPV6_NET if ":" in text else IPV4_NET
    network = network_of(Target(family, text))
    kind = IPV4_NET if network.version == 4 else IPV6_NET
    single = network.num_addresses == 1
    return Target(kind, str(network.network_address) if single else str(network))
