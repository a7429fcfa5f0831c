"""A request's body that must be one JSON object."""

from typing import Any

import orjson


def json_request(body: bytes, fault: type[Exception]) -> dict[str, Any]:
    """The object as it stands; raises ``fault`` when the body is none."""
    try:
        request: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise fault(f"the body is no JSON: {error}") from error
    if not isinstance(request, dict):
        raise fault("the body is no JSON object")
    return request
