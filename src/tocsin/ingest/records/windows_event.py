"""A Windows event as the evtx parser renders it, flattened to the names Sigma rules use."""

from collections.abc import Iterable
from typing import Any

_RENAMED = {
    ("Provider", "EventSourceName"): "EventSourceName",
    ("EventID", "Qualifiers"): "Qualifiers",
    ("TimeCreated", "SystemTime"): "TimeCreated",
}
_ATTRIBUTES = "#attributes"


def flatten_event(rendered: dict[str, Any]) -> dict[str, Any] | None:
    """One flat record of ``{"Event": {"System": …, "EventData": …}}``; None when it is none.

    ``System`` fields keep their names and win over event data of the same name, which is then
    found as ``EventData_<name>`` (or ``UserData_<name>``). Attributes are joined by an underscore
    (``Provider_Name``, ``Execution_ProcessID``, ``Security_UserID``); ``EventID`` is an int and
    ``TimeCreated`` ISO 8601. Unnamed ``Data`` is a list. Empty elements are left out.
    """
    event = rendered.get("Event")
    if not isinstance(event, dict) or not isinstance(event.get("System"), dict):
        return None
    record: dict[str, Any] = {}
    for name, value in event["System"].items():
        if isinstance(value, dict):
            _put_attributes(record, name, value)
        elif value is not None:
            record[name] = value
    for part, content in event.items():
        if part in ("System", _ATTRIBUTES) or content is None:
            continue
        if part == "EventData":
            _put_data(record, part, content)
        elif part == "UserData":
            _put_user_data(record, content)
        else:
            record[part] = _without_namespaces(content)
    return record


def _put_attributes(record: dict[str, Any], name: str, value: dict[str, Any]) -> None:
    for attribute, inner in _attributes(value.get(_ATTRIBUTES)):
        if inner is not None and not attribute.startswith("xmlns"):
            record[_RENAMED.get((name, attribute)) or f"{name}_{attribute}"] = inner
    if value.get("#text") is not None:
        record[name] = value["#text"]


def _attributes(value: Any) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, dict) else ()


def _put_data(record: dict[str, Any], part: str, content: Any) -> None:
    if not isinstance(content, dict):
        record[part] = content
        return
    for name, value in content.items():
        if name == _ATTRIBUTES:
            for attribute, inner in _attributes(value):
                if not attribute.startswith("xmlns"):
                    record[f"{part}_{attribute}"] = inner
        elif name == "Data" and part == "EventData":
            unnamed = value.get("#text") if isinstance(value, dict) else value
            if unnamed is not None:
                record[_free(record, part, name)] = (
                    unnamed if isinstance(unnamed, list) else [unnamed]
                )
        elif value is not None:
            plain = _without_namespaces(value) if isinstance(value, dict | list) else value
            record[name if name not in record else f"{part}_{name}"] = plain


def _put_user_data(record: dict[str, Any], content: Any) -> None:
    if not isinstance(content, dict):
        record["UserData"] = content
        return
    for name, value in content.items():
        if isinstance(value, dict):
            inner = {key: item for key, item in value.items() if key != _ATTRIBUTES}
            _put_data(record, "UserData", inner)
        elif value is not None and name != _ATTRIBUTES:
            record[_free(record, "UserData", name)] = value


def _free(record: dict[str, Any], part: str, name: str) -> str:
    return f"{part}_{name}" if name in record else name


def _without_namespaces(value: Any) -> Any:
    """``value`` without XML namespace attributes; a lone text element becomes its text."""
    if isinstance(value, list):
        return [_without_namespaces(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept: dict[str, Any] = {}
    for name, inner in value.items():
        if name == _ATTRIBUTES and isinstance(inner, dict):
            kept |= {key: item for key, item in inner.items() if not key.startswith("xmlns")}
        elif inner is not None:
            kept[name] = _without_namespaces(inner)
    return kept["#text"] if list(kept) == ["#text"] else kept
