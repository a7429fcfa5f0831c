"""Our networks: what ``networks.yml`` in the data folder says of an address, and private ranges."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, IPvAnyNetwork, TypeAdapter, ValidationError

_INTERNAL, _EXTERNAL = 1, 2  # OCSF network_endpoint.network_scope_id


class Network(BaseModel):
    """One network; ``internal`` false is one of another's, worth a name all the same."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: IPvAnyNetwork
    name: str
    tags: tuple[str, ...] = ()
    internal: bool = True


class NetworkBook:
    """Names the smallest network an address lies in; reads the file anew when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._problem = ""
        self._by_length: dict[tuple[int, int], dict[int, Network]] = {}

    def refresh(self) -> bool:
        """Read the file if it is another than before; True when it was."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            had, self._seen, self._problem = self._seen is not None, None, ""
            self._by_length = {}
            return had
        except OSError as error:
            self._problem = f"{self._path}: can't be read: {error.strerror}"
            return False
        now = (stat.st_mtime_ns, stat.st_size)
        if now == self._seen:
            return False
        self._seen = now
        try:
            self._by_length = _by_length(read_networks(self._path))
            self._problem = ""
        except (OSError, ValueError, yaml.YAMLError) as error:
            self._problem = f"{self._path}: not a valid list of networks: {error}"
            return False
        return True

    def problems(self) -> Sequence[str]:
        return [self._problem] if self._problem else []

    def facts(self, address: str) -> dict[str, str | int]:
        """``network_scope_id`` of any address; ``zone`` and tags of one in a named network."""
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return {}
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        network = self._smallest(parsed)
        if network is None:
            return {"network_scope_id": _EXTERNAL if parsed.is_global else _INTERNAL}
        found: dict[str, str | int] = {
            "network_scope_id": _INTERNAL if network.internal else _EXTERNAL,
            "zone": network.name,
        }
        if network.tags:
            found["unmapped.network_tags"] = ", ".join(network.tags)
        return found

    def _smallest(self, address: IPv4Address | IPv6Address) -> Network | None:
        number = int(address)
        for (bits, length), networks in self._by_length.items():
            if bits == address.max_prefixlen:
                found = networks.get(number >> (bits - length))
                if found is not None:
                    return found
        return None


def read_networks(path: Path) -> list[Network]:
    """What the file names; raises OSError, ValueError or YAMLError."""
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if not isinstance(content, dict) or set(content) - {"networks"}:
        raise ValueError("must hold one list, networks, of entries with network and name")
    try:
        return TypeAdapter(list[Network]).validate_python(content.get("networks", []))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ValueError(f"networks.{where}: {first['msg']}") from error


def _by_length(networks: Iterable[Network]) -> dict[tuple[int, int], dict[int, Network]]:
    """By size of address and length of prefix, the longest first, networks by their prefix."""
    found: dict[tuple[int, int], dict[int, Network]] = {}
    for one in networks:
        net = ip_network(str(one.network), strict=False)
        key = (net.max_prefixlen, net.prefixlen)
        number = int(net.network_address) >> (net.max_prefixlen - net.prefixlen)
        found.setdefault(key, {})[number] = one
    return dict(sorted(found.items(), key=lambda item: -item[0][1]))
