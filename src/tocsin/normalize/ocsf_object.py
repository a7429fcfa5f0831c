"""Builds the nested OCSF event from its dotted columns, as it leaves the house."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tocsin.model.lane import Lane
from tocsin.normalize.ocsf_version import OCSF_VERSION

ARRAYS_OF_OBJECTS = frozenset(
    {"answers", "evidences", "groups", "hashes", "policies", "resources", "tags", "attacks"}
)
_ARRAYS = frozenset({"types", "privileges", "labels", "profiles", "categories"})
# What base_event (with the profiles host, cloud and security_control) has a place for.
_BASE_EVENT = frozenset(
    {"class_uid", "category_uid", "activity_id", "type_uid", "severity_id", "time", "metadata"}
    | {"message", "status", "status_id", "status_code", "status_detail", "unmapped", "device"}
    | {"actor", "cloud", "api", "duration", "count", "start_time", "end_time", "observables"}
    | {"action_id", "disposition_id", "policy", "malware", "raw_data"}
)
_PLAIN_CLASSES = frozenset({0, 6008})
"""base_event and application_error: the classes with no attributes of their own."""
# A finding tells of these only as evidence.
_EVIDENCE = frozenset(
    {"src_endpoint", "dst_endpoint", "http_request", "connection_info", "url", "process", "file"}
    | {"user", "actor", "query", "tls"}
)
_ALGORITHMS = {32: 1, 40: 2, 64: 3, 128: 4}
"""OCSF ``fingerprint.algorithm_id`` (MD5, SHA-1, SHA-256, SHA-512) by length in hexadecimal."""


def to_ocsf(row: Mapping[str, object], time: datetime, lane: Lane) -> dict[str, Any]:
    """The OCSF event of one row of dotted columns.

    Adds what the columns leave out because it is the same everywhere or follows from the rest:
    ``time`` (ms), ``metadata`` with its profiles, unknown (0) for a required id, a file's name
    from its path. Columns the event's class has no place for go to ``unmapped``.
    """
    event: dict[str, Any] = {}
    for path, value in row.items():
        _put(event, path.split("."), value)
    event["time"] = int(time.timestamp() * 1000)
    metadata = event.setdefault("metadata", {})
    metadata.setdefault("version", OCSF_VERSION)
    metadata.setdefault("product", {}).setdefault("name", lane.product)
    metadata.setdefault("log_source", lane.id)
    _place(event)
    _complete(event)
    metadata["profiles"] = _profiles(event)
    return event


def _put(event: dict[str, Any], steps: list[str], value: object) -> None:
    node = event
    for at, step in enumerate(steps[:-1]):
        if step == "unmapped":
            node = node.setdefault(step, {})
            node[".".join(steps[at + 1 :])] = value
            return
        if step in ARRAYS_OF_OBJECTS:
            _put_members(node.setdefault(step, []), steps[at + 1 :], value)
            return
        inner = node.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        node = inner
    leaf = steps[-1]
    node[leaf] = [value] if leaf in _ARRAYS and not isinstance(value, list) else value


def _put_members(members: list[dict[str, Any]], steps: list[str], value: object) -> None:
    """A list gives one member each; a single value belongs to the first."""
    values = [item for item in value if item is not None] if isinstance(value, list) else [value]
    while len(members) < len(values):
        members.append({})
    for member, item in zip(members, values, strict=False):
        _put(member, steps, item)


def _place(event: dict[str, Any]) -> None:
    if event.get("category_uid") == 2:
        evidence = {name: event.pop(name) for name in sorted(_EVIDENCE & event.keys())}
        if evidence:
            event.setdefault("evidences", []).append(evidence)
    if event.get("class_uid") in _PLAIN_CLASSES:
        homeless = {name: event.pop(name) for name in sorted(event.keys() - _BASE_EVENT)}
        if homeless:
            event.setdefault("unmapped", {}).update(homeless)


def _complete(event: dict[str, Any]) -> None:
    class_uid, category = event.get("class_uid"), event.get("category_uid")
    if category == 1 and class_uid != 1008:
        event.setdefault("device", {"name": "unknown"})
        actor = event.setdefault("actor", {})
        if not actor:
            parent = event.get("process", {}).get("parent_process")
            actor |= {"process": dict(parent)} if parent else {"app_name": "unknown"}
    _walk(event)


def _walk(node: dict[str, Any]) -> None:
    for name, inner in list(node.items()):
        for item in inner if isinstance(inner, list) else [inner]:
            if isinstance(item, dict) and name != "unmapped":
                fill = _FILLS.get(name)
                if fill:
                    fill(item)
                _walk(item)


def _file(node: dict[str, Any]) -> None:
    node.setdefault("type_id", 0)
    path = str(node.get("path", ""))
    node.setdefault("name", path.replace("\\", "/").rstrip("/").rpartition("/")[2] or "unknown")


def _hash(node: dict[str, Any]) -> None:
    node.setdefault("algorithm_id", _ALGORITHMS.get(len(str(node.get("value", ""))), 0))


def _device(node: dict[str, Any]) -> None:
    node.setdefault("type_id", 0)
    if not node.keys() & {"hostname", "ip", "name", "uid"}:
        node["name"] = "unknown"


def _process(node: dict[str, Any]) -> None:
    if not node.keys() & {"pid", "uid", "cpid"}:
        node["uid"] = "unknown"


_FILLS: dict[str, Callable[[dict[str, Any]], object]] = {
    "file": _file,
    "hashes": _hash,
    "ja3_hash": _hash,
    "ja3s_hash": _hash,
    "device": _device,
    "process": _process,
    "parent_process": _process,
    "connection_info": lambda node: node.setdefault("direction_id", 0),
    "module": lambda node: node.setdefault("load_type_id", 0),
    "analytic": lambda node: node.setdefault("type_id", 0),
    "policy": lambda node: node.setdefault("name", node.get("uid", "unknown")),
    "certificate": lambda node: node.setdefault("serial_number", "unknown"),
}


def _profiles(event: Mapping[str, Any]) -> list[str]:
    """OCSF profiles whose attributes the event has."""
    found = []
    if "cloud" in event:
        found.append("cloud")
    if event.keys() & {"device", "actor"}:
        found.append("host")
    if event.keys() & {"action_id", "disposition_id"}:
        found.append("security_control")
    return found
