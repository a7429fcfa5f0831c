"""Answers as Elasticsearch gives them: its headers, its errors, its way of leaving parts out."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError

from tocsin.api.guard import NotPermitted, TokenMissing, TokenRefused
from tocsin.api.problem import Problem
from tocsin.ingest.bulk_body import BulkFault
from tocsin.store.ports import SpoolFull, StoreError

_JSON = "application/json"
_COMPATIBLE = re.compile(r"application/vnd\.elasticsearch\+json; ?compatible-with=(\d+)")
_BEAT = re.compile(r"beat/(\d+\.\d+\.\d+)", re.IGNORECASE)
_PRODUCT = {"X-Elastic-Product": "Elasticsearch"}
_VERSION = "8.19.0"
"""The wire protocol that is spoken. Nothing asks for more than a major version, but Beats."""
_ASK_AGAIN_S = "5"


def reply(
    request: Request, content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON, with the header that Elastic's clients look for before they go on."""
    asked = _COMPATIBLE.search(request.headers.get("accept", ""))
    media = _JSON
    if asked:
        media = f"application/vnd.elasticsearch+json;compatible-with={asked[1]}"
    return Response(
        orjson.dumps(content), status, {**_PRODUCT, **(headers or {})}, media_type=media
    )


def version_for(request: Request) -> str:
    """A Beat sends nothing to what is older than itself, so it is told its own version."""
    found = _BEAT.search(request.headers.get("user-agent", ""))
    return found[1] if found else _VERSION


def answer_error(request: Request, error: Exception) -> Response | None:
    """What went wrong as an error of Elasticsearch's."""
    headers: dict[str, str] = {}
    match error:
        case SpoolFull():
            status, kind = 429, "es_rejected_execution_exception"
            headers["Retry-After"] = _ASK_AGAIN_S
        case BulkFault():
            status, kind = 400, "illegal_argument_exception"
        case TokenMissing() | TokenRefused():
            status, kind = 401, "security_exception"
            headers["WWW-Authenticate"] = 'Basic realm="security", ApiKey'
        case NotPermitted():
            status, kind = 403, "security_exception"
        case Problem():
            status = error.status
            kind = "content_too_long_exception" if status == 413 else "parse_exception"
        case StoreError():
            status, kind = 503, "unavailable_shards_exception"
        case RequestValidationError():
            status, kind = 400, "illegal_argument_exception"
        case _:
            return None
    cause = {"type": kind, "reason": str(error)}
    content = {"error": {"root_cause": [cause], **cause}, "status": status}
    return reply(request, content, status, headers)


def filtered(content: dict[str, Any], filter_path: str) -> dict[str, Any]:
    """What ``filter_path`` names of a bulk answer: names at the top, and ``items.*.<name>``."""
    if not filter_path:
        return content
    paths = [path.strip().split(".") for path in filter_path.split(",")]
    kept: dict[str, Any] = {
        name: value
        for name, value in content.items()
        if name != "items" and any(path[0] in (name, "*", "**") for path in paths)
    }
    wanted = [path for path in paths if path[0] in ("items", "*", "**")]
    if wanted:
        items = [_item(one, wanted) for one in content["items"]]
        kept["items"] = [one for one in items if one]
    return kept


def _item(one: dict[str, dict[str, Any]], wanted: Sequence[Sequence[str]]) -> dict[str, Any]:
    ((verb, told),) = one.items()
    if any(len(path) < 3 and path[-1] in ("items", verb, "*", "**") for path in wanted):
        return one
    names = {path[2] for path in wanted if len(path) > 2 and path[1] in (verb, "*", "**")}
    kept = told if "*" in names else {name: told[name] for name in told if name in names}
    return {verb: kept} if kept else {}
