"""Answers as Elasticsearch gives them: its headers, its errors, its way of leaving parts out."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError

from tocsin.api.guard import NotPermitted, TokenMissing, TokenRefused
from tocsin.api.problem import Problem
from tocsin.ingest.bodies.bulk_body import Action, Bulk, BulkFault
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
    """JSON (bytes are it already), with the header that Elastic's clients look for before they go on."""
    written = content if isinstance(content, bytes) else orjson.dumps(content)
    asked = _COMPATIBLE.search(request.headers.get("accept", ""))
    media = _JSON
    if asked:
        media = f"application/vnd.elasticsearch+json;compatible-with={asked[1]}"
    return Response(written, status, {**_PRODUCT, **(headers or {})}, media_type=media)


def version_for(request: Request) -> str:
    """A Beat sends nothing to what is older than itself, so it is told its own version."""
    found = _BEAT.search(request.headers.get("user-agent", ""))
    return found[1] if found else _VERSION


class BulkRefused(Exception):
    """Nothing of a bulk request could be taken in now; raised from the StoreError that says why."""

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__(f"none of {len(actions)} documents could be taken in")
        self.actions = actions


def answer_error(request: Request, error: Exception) -> Response | None:
    """What went wrong as an error of Elasticsearch's.

    A bulk request that was refused as a whole is answered item by item besides: senders that go
    by the status (Beats, Logstash, Vector, Fluent Bit) and those that look at the items alone
    (rsyslog before 2026) send the same again, either way.
    """
    actions: Sequence[Action] = ()
    if isinstance(error, BulkRefused) and isinstance(error.__cause__, StoreError):
        actions, error = error.actions, error.__cause__
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
            headers["Retry-After"] = _ASK_AGAIN_S
        case RequestValidationError():
            status, kind = 400, "illegal_argument_exception"
        case _:
            return None
    cause = {"type": kind, "reason": str(error)}
    content: dict[str, Any] = {"error": {"root_cause": [cause], **cause}, "status": status}
    if actions:
        told = [_refused(action, status, cause) for action in actions]
        content |= {"errors": True, "took": 0, "items": told}
    return reply(request, content, status, headers)


def _refused(action: Action, status: int, cause: Mapping[str, str]) -> dict[str, Any]:
    about = {"_index": action.index, "_id": action.id, "status": status, "error": cause}
    return {action.verb: about}


class BulkReply:
    """Writes the answer to a bulk request, item by item, with the parts that are wanted.

    ``filter_path`` names them as Elasticsearch has it: names at the top, ``items.*.<name>``.
    """

    def __init__(self, filter_path: str) -> None:
        self._paths = [path.strip().split(".") for path in filter_path.split(",") if path.strip()]
        self._wanted = [path for path in self._paths if path[0] in ("items", "*", "**")]
        self._taken: dict[tuple[str, str], list[bytes]] = {}

    def written(self, bulk: Bulk, position: int, took_ms: int) -> bytes:
        """The JSON; ``position`` is where in the spool the last batch ended."""
        conflicts = any(bulk.actions[number].verb == "create" for number in bulk.repeated)
        top = {"errors": bool(bulk.reasons) or conflicts, "took": took_ms}
        kept = {name: value for name, value in top.items() if self._has(name)}
        head = orjson.dumps(kept)
        if self._paths and not self._wanted:
            return head
        items = [self._item(number, bulk, position) for number in range(len(bulk.actions))]
        joined = b'"items":[' + b",".join(filter(None, items)) + b"]}"
        return head[:-1] + (b"," if kept else b"") + joined

    def _has(self, name: str) -> bool:
        return not self._paths or any(path[0] in (name, "*", "**") for path in self._paths)

    def _item(self, number: int, bulk: Bulk, position: int) -> bytes:
        action = bulk.actions[number]
        if number in bulk.reasons or number in bulk.repeated or number in bulk.changed:
            return self._part(action.verb, told_item(bulk, number, position))
        key = (action.verb, action.index)
        pieces = self._taken.get(key)
        if pieces is None:
            # No text holds this: its quotes would be escaped.
            written = self._part(action.verb, told_item(bulk, number, position) | {"_id": ""})
            pieces = self._taken[key] = written.split(b'"_id":""')
        if len(pieces) == 1:
            return pieces[0]
        given = action.id or f"{position}-{number}"
        return pieces[0] + b'"_id":' + orjson.dumps(given) + pieces[1]

    def _part(self, verb: str, told: dict[str, Any]) -> bytes:
        wanted = self._wanted
        if wanted and not any(
            len(path) < 3 and path[-1] in ("items", verb, "*", "**") for path in wanted
        ):
            names = {path[2] for path in wanted if len(path) > 2 and path[1] in (verb, "*", "**")}
            told = told if "*" in names else {name: told[name] for name in told if name in names}
        return orjson.dumps({verb: told}) if told else b""


def told_item(bulk: Bulk, number: int, position: int) -> dict[str, Any]:
    """What became of one document: on disk, unless ``bulk`` has a reason against it."""
    action, reason = bulk.actions[number], bulk.reasons.get(number, "")
    told: dict[str, Any] = {"_index": action.index, "_id": action.id or f"{position}-{number}"}
    if number in bulk.repeated and action.verb == "create":
        kind = "version_conflict_engine_exception"
        reason = f"[{action.id}]: version conflict, document already exists (current version [1])"
        error = {"type": kind, "reason": reason, "index": action.index}
        return told | {"status": 409, "error": error}
    if number in bulk.repeated:
        return told | {"_version": 1, "result": "noop", "status": 200}
    if number in bulk.changed and not reason:
        return told | {"_version": 2, "result": "updated", "status": 200}
    if reason:
        kind = "illegal_argument_exception" if action.reason else "document_parsing_exception"
        return told | {"status": 400, "error": {"type": kind, "reason": reason}}
    return told | {"_version": 1, "result": "created", "status": 201}
