"""Values of OpenTelemetry's JSON encoding as plain ones (opentelemetry-proto, common.proto)."""

from typing import Any

_INTEGERS = range(-(2**63), 2**64)
_DOUBLES = {"NaN": "NaN", "Infinity": "Infinity", "-Infinity": "-Infinity"}


class OtlpFault(ValueError):
    """A part of a request that is not as the protocol has it; says which."""


def plain_value(value: Any) -> Any:
    """An ``AnyValue`` as text, number, truth value, list, object or None; bytes stay base64."""
    if value is None or value == {}:
        return None
    if not isinstance(value, dict) or len(value) != 1:
        raise OtlpFault(f"no AnyValue: {_shown(value)}")
    ((kind, inside),) = value.items()
    match kind:
        case "stringValue" | "bytesValue" if isinstance(inside, str):
            return inside
        case "boolValue" if isinstance(inside, bool):
            return inside
        case "intValue":
            return whole_number(inside)
        case "doubleValue" if isinstance(inside, int | float) and not isinstance(inside, bool):
            return inside
        case "doubleValue" if inside in _DOUBLES:
            return inside
        case "arrayValue" if isinstance(inside, dict):
            return [plain_value(one) for one in list_in(inside, "values")]
        case "kvlistValue" if isinstance(inside, dict):
            return attributes(list_in(inside, "values"))
    raise OtlpFault(f"no AnyValue: {_shown(value)}")


def attributes(pairs: list[Any]) -> dict[str, Any]:
    """A list of ``KeyValue`` as an object; of a key that comes again the last value counts."""
    found: dict[str, Any] = {}
    for pair in pairs:
        if type(pair) is not dict or type(key := pair.get("key")) is not str:
            raise OtlpFault(f"no KeyValue: {_shown(pair)}")
        value = pair.get("value")
        text = value.get("stringValue") if type(value) is dict and len(value) == 1 else None
        found[key] = text if type(text) is str else plain_value(value)  # most are text
    return found


def whole_number(value: Any) -> int:
    """A 64-bit integer, which JSON has as text or as a number."""
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) <= 20:
        value = int(value)
    if type(value) is not int or value not in _INTEGERS:
        raise OtlpFault(f"no 64-bit integer: {_shown(value)}")
    return value


def list_in(holder: dict[str, Any], name: str) -> list[Any]:
    """The list under ``name``; absent and null are the empty one."""
    found = holder.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise OtlpFault(f"{name} is no list: {_shown(found)}")
    return found


def object_in(holder: dict[str, Any], name: str) -> dict[str, Any]:
    """The object under ``name``; absent and null are the empty one."""
    found = holder.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise OtlpFault(f"{name} is no object: {_shown(found)}")
    return found


def _shown(value: Any) -> str:
    return f"{value!r:.100}"
