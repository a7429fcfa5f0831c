r"""Says whom and what a finding is about, from the event's OCSF columns and the rule's wish.

An entity's name is lower case and bare: ``CORP\Alice``, ``alice@corp.example`` and ``alice`` are
one user, ``WS01.corp.example`` and ``WS01$`` one host. Two domains with the same account name
therefore share an entity; the event keeps the full name.

A user name is taken for a service account when the event says so (OCSF ``user.type_id`` 4), when it
starts with ``svc-``, ``svc_``, ``svc.``, ``sa-``, ``service-`` or ``gmsa-``, ends in ``-svc``,
``_svc`` or ``[bot]``, or is one of Kubernetes' ``system:`` names. A name that ends in ``$`` and
Kubernetes' ``system:node:`` name a machine. The other end of a connection is a host of ours when its
name has no dot or the domain of the device that tells of it: a web address or the reverse name of
a scanner is neither. Accounts that every machine has (``SYSTEM``, ``NETWORK SERVICE``) are no one and give
no entity; ``root`` and its like never come before a known host, since folding over all hosts
would hide where it happened.
"""

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from tocsin.model.entity import Entity, EntityKind
from tocsin.model.rule import Rule

DEFAULT_ORDER = (
    EntityKind.HOST,
    EntityKind.USER,
    EntityKind.SERVICE_ACCOUNT,
    EntityKind.CLUSTER,
    EntityKind.CLOUD_ACCOUNT,
    EntityKind.ADDRESS,
    EntityKind.SOURCE,
)

_HOST_COLUMNS = ("device.hostname", "device.name")
_PEER_COLUMNS = ("dst_endpoint.hostname", "src_endpoint.hostname")
_ACTOR_COLUMNS = ("actor.user.name", "user.name")
_AUTHENTICATION_COLUMNS = ("user.name", "actor.user.name")
_ADDRESS_COLUMNS = ("src_endpoint.ip", "dst_endpoint.ip", "device.ip")
_CLOUD_COLUMNS = ("cloud.account.uid",)
_RESOURCE_COLUMNS = ("resources.type", "resources.name")
_RESOURCE_KINDS = {"nodes": EntityKind.HOST, "cluster": EntityKind.CLUSTER}
_AUTHENTICATION_CLASS = 3002
_SERVICE_TYPE_ID = 4
ENTITY_COLUMNS = frozenset(
    {"class_uid", *_HOST_COLUMNS, *_PEER_COLUMNS, *_RESOURCE_COLUMNS, *_ACTOR_COLUMNS}
    | {f"{name.removesuffix('.name')}.type_id" for name in _ACTOR_COLUMNS}
    | {*_CLOUD_COLUMNS, *_ADDRESS_COLUMNS}
)
"""The OCSF columns ``entities_of`` looks at: it needs no others."""

_SERVICE_NAME = re.compile(r"^(svc[-_.]|sa-|service-|gmsa[-_])|([-_]svc|\[bot\])$")
_NO_ONE = frozenset(
    {"", "-", "n/a", "none", "null", "unknown", "(unknown user)", "system", "local service"}
    | {"network service", "anonymous logon", "anonymous", "iusr", "nobody", "window manager"}
    | {"system:anonymous", "system:unauthenticated"}
)
_NO_ONE_PATTERN = re.compile(r"^(dwm|umfd)-\d+$")
_SHARED_NAMES = frozenset({"root", "administrator", "admin", "guest", "toor"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
_LONGEST_NAME = 200
_LONGEST_ADDRESS = 45
"""Characters of an IPv6 address that ends in an IPv4 one; no other is longer."""


def entities_of(rule: Rule, ocsf: Mapping[str, object]) -> tuple[Entity, ...]:
    """What an event with these dotted OCSF columns is about, the one to fold on first.

    The order is the rule's ``entity_kinds`` and then `DEFAULT_ORDER`. Empty when the event names
    no one; the alert is then about its source.
    """
    found = list(dict.fromkeys(_all_entities(ocsf)))
    order = _places(rule.entity_kinds)
    has_host = any(entity.kind is EntityKind.HOST for entity in found)
    late = len(order)

    def place(entity: Entity) -> int:
        shared = has_host and entity.kind is EntityKind.USER and entity.name in _SHARED_NAMES
        return late if shared else order[entity.kind]

    return tuple(sorted(found, key=place))


@lru_cache(maxsize=1024)
def _places(wished: tuple[str, ...]) -> dict[EntityKind, int]:
    """Each kind's place; kinds that do not exist are the rule linter's to report, not ours."""
    known = {kind.value: kind for kind in EntityKind}
    order: list[EntityKind] = []
    for kind in (known[name] for name in wished if name in known):
        order.append(kind)
        if kind is EntityKind.USER and EntityKind.SERVICE_ACCOUNT not in wished:
            order.append(EntityKind.SERVICE_ACCOUNT)
    return {kind: place for place, kind in enumerate(dict.fromkeys([*order, *DEFAULT_ORDER]))}


def _all_entities(ocsf: Mapping[str, object]) -> Iterator[Entity]:
    for value in _values(ocsf, _HOST_COLUMNS):
        yield from _host(value)
    domains = {_domain(value) for value in _values(ocsf, _HOST_COLUMNS)} | {""}
    for value in _values(ocsf, _PEER_COLUMNS):
        if _parsed_address(value) is not None or _domain(value) in domains:
            yield from _host(value)
    resource = ocsf.get("resources.type")
    if isinstance(resource, str) and resource in _RESOURCE_KINDS:
        for value in _values(ocsf, ("resources.name",)):
            yield from _plain(_RESOURCE_KINDS[resource], value)
    at_sign_in = ocsf.get("class_uid") == _AUTHENTICATION_CLASS
    for column in _AUTHENTICATION_COLUMNS if at_sign_in else _ACTOR_COLUMNS:
        is_service = ocsf.get(f"{column.removesuffix('.name')}.type_id") == _SERVICE_TYPE_ID
        for value in _values(ocsf, (column,)):
            yield from account_entity(value, is_service=is_service)
    for value in _values(ocsf, _CLOUD_COLUMNS):
        yield from _plain(EntityKind.CLOUD_ACCOUNT, value)
    for value in _values(ocsf, _ADDRESS_COLUMNS):
        yield from _address(value)


def _values(ocsf: Mapping[str, object], columns: Iterable[str]) -> Iterator[str]:
    for column in columns:
        value = ocsf.get(column)
        for member in value if isinstance(value, list | tuple) else (value,):
            if isinstance(member, str):
                if member.isascii() and member.isprintable():
                    yield member.strip()
                else:
                    clean = member.encode("utf-8", "replace").decode()
                    yield _CONTROL.sub("\ufffd", clean).strip()


def account_entity(name: str, *, is_service: bool = False) -> tuple[Entity, ...]:
    """The user, service account or (for ``NAME$``) host an account name stands for; or none."""
    read = _account if len(name) <= _LONGEST_NAME else _account.__wrapped__
    return read(name, is_service)


# The events of a turn name the same few accounts, hosts and addresses again and again.
@lru_cache(maxsize=8192)
def _account(name: str, is_service: bool) -> tuple[Entity, ...]:
    bare = _bare_account(name)
    if bare in _NO_ONE or _NO_ONE_PATTERN.match(bare):
        return ()
    if bare.endswith("$") and len(bare) > 1:
        return (Entity(EntityKind.HOST, _bounded(bare[:-1])),)
    if bare.startswith("system:node:"):
        return _host(bare.removeprefix("system:node:"))
    if bare.startswith("system:serviceaccount:"):
        return _plain(EntityKind.SERVICE_ACCOUNT, bare.removeprefix("system:serviceaccount:"))
    if is_service or bare.startswith("system:") or _SERVICE_NAME.search(bare):
        return _plain(EntityKind.SERVICE_ACCOUNT, bare)
    return _plain(EntityKind.USER, bare)


def _bare_account(name: str) -> str:
    bare = name.strip().lower()
    if bare.startswith("arn:"):
        return bare.rpartition("/")[2] if "/" in bare else bare.rpartition(":")[2]
    bare = bare.rpartition("\\")[2]
    if "@" in bare.strip("@"):
        bare = bare.partition("@")[0]
    return bare.strip()


def _host(name: str) -> tuple[Entity, ...]:
    return (_machine if len(name) <= _LONGEST_NAME else _machine.__wrapped__)(name)


@lru_cache(maxsize=8192)
def _machine(name: str) -> tuple[Entity, ...]:
    bare = name.lower().strip().rstrip(".")
    if _parsed_address(bare) is not None:
        return _address(bare)
    bare = bare.lstrip("\\").partition(".")[0].rstrip("$")
    if bare in _NO_ONE or bare == "localhost":
        return ()
    return _plain(EntityKind.HOST, bare)


def _domain(name: str) -> str:
    return name.lower().rstrip(".").partition(".")[2]


def _address(text: str) -> tuple[Entity, ...]:
    """An address, unless it names no single machine (unspecified, loopback, multicast)."""
    bare = text.strip("[] ").partition("%")[0]
    return _addressed(bare) if len(bare) <= _LONGEST_ADDRESS else ()


@lru_cache(maxsize=8192)
def _addressed(bare: str) -> tuple[Entity, ...]:
    address = _address_in(bare)
    if address is None:
        return ()
    if address.is_unspecified or address.is_loopback or address.is_multicast:
        return ()
    if str(address) == "255.255.255.255":
        return ()
    return (Entity(EntityKind.ADDRESS, str(address)),)


def _parsed_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    bare = text.strip("[] ").partition("%")[0]
    return _address_in(bare) if len(bare) <= _LONGEST_ADDRESS else None


@lru_cache(maxsize=8192)
def _address_in(bare: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The events of a turn name the same few addresses again and again."""
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _plain(kind: EntityKind, name: str) -> tuple[Entity, ...]:
    bare = name.strip().lower()
    return (Entity(kind, _bounded(bare)),) if bare and bare != "-" else ()


def _bounded(name: str) -> str:
    """The name, or its start and a digest when a sender made it absurdly long."""
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name[: _LONGEST_NAME - 13]}~{digest}"
