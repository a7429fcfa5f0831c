"""One line that tells an event: what it says itself, else who did what to which thing."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from tocsin.console.display import visible
from tocsin.store.query import StoredEvent

_LONGEST = 400
_TELLING = (
    "finding_info.title",
    "process.cmd_line",
    "message",
    "api.operation",
    "http_request.url.url_string",
    "http_request.url.path",
    "query.hostname",
    "script.script_content.value",
)
"""What of an event tells most about it, if it has it."""
_THINGS = ("file.path", "win_service.name", "reg_key.path", "tls.sni", "file.name")
"""What it is about, where nothing tells what was done to it."""
_WHO = ("actor.process.name", "actor.user.name")
_DEEDS: Mapping[tuple[int, int], tuple[str, tuple[str, ...], str]] = MappingProxyType(
    {
        (1001, 1): ("creates", ("file.path", "file.name"), ""),
        (1001, 3): ("changes", ("file.path", "file.name"), ""),
        (1001, 4): ("deletes", ("file.path", "file.name"), ""),
        (1001, 5): ("renames", ("file.path", "file.name"), "file_result.path"),
        (1002, 1): ("loads", ("driver.file.path", "driver.file.name"), ""),
        (1005, 1): ("loads", ("module.file.path", "module.file.name"), ""),
        (1006, 1): ("creates the task", ("job.name",), ""),
        (1006, 2): ("changes the task", ("job.name",), ""),
        (1006, 3): ("deletes the task", ("job.name",), ""),
        (1007, 1): ("starts", ("process.file.path", "process.name"), ""),
        (1007, 2): ("ends", ("process.file.path", "process.name"), ""),
        (1007, 3): ("opens", ("process.file.path", "process.name"), ""),
        (1007, 4): ("injects into", ("process.file.path", "process.name"), ""),
        (3001, 1): ("creates the account", ("user.name",), ""),
        (3001, 2): ("enables the account", ("user.name",), ""),
        (3001, 3): ("changes the password of", ("user.name",), ""),
        (3001, 4): ("resets the password of", ("user.name",), ""),
        (3001, 5): ("disables the account", ("user.name",), ""),
        (3001, 6): ("deletes the account", ("user.name",), ""),
        (3001, 9): ("locks the account", ("user.name",), ""),
        (3002, 1): ("signs in:", ("user.name",), "src_endpoint.ip"),
        (3002, 2): ("signs off:", ("user.name",), ""),
        (3002, 3): ("asks for a ticket:", ("user.name",), "src_endpoint.ip"),
        (3002, 4): ("asks for a service ticket:", ("user.name",), "service.name"),
        (3002, 5): ("renews a service ticket:", ("user.name",), "service.name"),
        (3006, 3): ("adds to a group:", ("user.name", "user.uid"), "group.name"),
        (3006, 4): ("removes from a group:", ("user.name", "user.uid"), "group.name"),
        (201001, 1): ("creates the key", ("reg_key.path",), ""),
        (201001, 4): ("deletes the key", ("reg_key.path",), ""),
        (201002, 2): ("sets", ("reg_value.path", "reg_value.name"), "reg_value.data"),
        (201002, 3): ("changes", ("reg_value.path", "reg_value.name"), "reg_value.data"),
        (201002, 4): ("deletes", ("reg_value.path", "reg_value.name"), ""),
    }
)
"""By OCSF class and activity (1.8.0): the deed, what it is done to, and what else belongs to it."""
_KNOWN_ANYHOW = frozenset(
    {"channel", "computer", "eventid", "eventrecordid", "provider_name", "hostname", "version"}
)
"""Native names that stand in the line's other columns, or in front of it."""


def event_line(event: StoredEvent) -> str:
    """One line of an event, never empty if it has any value at all."""
    ocsf = event.ocsf
    told = _first(ocsf, _TELLING, 300) or _deed(ocsf) or _first(ocsf, _THINGS, 300)
    parts = [*_ends(ocsf), told]
    line = "  ".join(filter(None, parts)) or _native_line(event)
    return line.replace("\n", " ⏎ ")[:_LONGEST]


def _first(ocsf: Mapping[str, object], names: Iterable[str], limit: int) -> str:
    return next((visible(ocsf[name], limit) for name in names if ocsf.get(name)), "")


def _ends(ocsf: Mapping[str, object]) -> list[str]:
    source, target = ocsf.get("src_endpoint.ip"), ocsf.get("dst_endpoint.ip")
    if not source or not target:
        return []
    port = ocsf.get("dst_endpoint.port")
    end = f":{visible(port, 10)}" if port else ""
    return [f"{visible(source, 60)} → {visible(target, 60)}{end}"]


def _deed(ocsf: Mapping[str, object]) -> str:
    """Who does what to which thing, of the classes whose events tell it in no field of their own.

    A failure stands in front, as it is another matter altogether.
    """
    known = _DEEDS.get((_number(ocsf, "class_uid"), _number(ocsf, "activity_id")))
    if known is None:
        return ""
    deed, objects, more = known
    what = _first(ocsf, objects, 200)
    if not what:
        return ""
    who, also = _first(ocsf, _WHO, 80), _first(ocsf, (more,), 120)
    failed = "failed: " if _number(ocsf, "status_id") == 2 else ""
    line = " ".join(part for part in (who, deed, what) if part)
    return f"{failed}{line}{f', {also}' if also else ''}"


def _number(ocsf: Mapping[str, object], name: str) -> int:
    value = ocsf.get(name)
    return value if isinstance(value, int) else -1


def _native_line(event: StoredEvent) -> str:
    """The first plain values of the source, with the log and the number of the event before them."""
    log, code = event.ocsf.get("metadata.log_name"), event.ocsf.get("metadata.event_code")
    plain = [
        (name, value)
        for name, value in event.native.items()
        if not isinstance(value, dict | list) and "time" not in name.lower() and name[:1] != "@"
    ]
    if log and code:
        plain = [one for one in plain if one[0].lower() not in _KNOWN_ANYHOW]
    front = f"{visible(log, 80)} {visible(code, 20)}" if log and code else ""
    told = (f"{name}={visible(value, 80)}" for name, value in plain[:6])
    return "  ".join(filter(None, (front, *told)))
