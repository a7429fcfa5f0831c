"""What Elastic's senders ask before they send, answered so that they go on."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response
from starlette.routing import Match
from starlette.types import Scope

from tocsin import __version__
from tocsin.api.elastic_reply import reply, version_for
from tocsin.api.elastic_router import PREFIX, ElasticRoute, ElasticRouter
from tocsin.api.guard import House, sender
from tocsin.api.problem import Problem
from tocsin.model.principal import Principal

Sender = Annotated[Principal, Depends(sender("apikey", "basic", "bearer"))]
_NAME = "tocsin"
_NOT_NEEDED = "Tocsin keeps, reads and forgets events by itself; nothing of this kind is kept"
_LOOK, _WRITE, _ANY = ["GET", "HEAD"], ["PUT", "POST"], ["GET", "HEAD", "POST", "PUT", "DELETE"]


class _ForPrograms(ElasticRoute):  # type: ignore[misc, valid-type]  # made by a function
    """Leaves what a browser asks for to the console."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        headers = {name: value for name, value in scope.get("headers", ()) if name in _TELLING}
        accepts = headers.get(b"accept", b"")
        program = b"json" in accepts or b"authorization" in headers
        if b"text/html" in accepts or not program:
            return Match.NONE, {}
        found: tuple[Match, Scope] = super().matches(scope)
        return found


_TELLING = (b"accept", b"authorization")

router = ElasticRouter()


def tell_version(request: Request, who: Sender) -> Response:
    """Name and version, as Elastic's clients want to know them first."""
    return reply(
        request,
        {
            "name": _NAME,
            "cluster_name": _NAME,
            "cluster_uuid": _NAME,
            "version": {
                "number": version_for(request),
                "build_flavor": "default",
                "build_type": "tocsin",
                "build_hash": __version__,
                "minimum_wire_compatibility_version": "7.17.0",
                "minimum_index_compatibility_version": "7.0.0",
            },
            "tagline": f"Tocsin {__version__} takes in what is sent to Elasticsearch",
        },
    )


@router.at("/_license", ["GET"], "licence")
@router.at("/_xpack", ["GET"], "licence and features")
def tell_license(request: Request, who: Sender) -> Response:
    """Senders go on when a licence is active, whatever it is."""
    licence = {"status": "active", "uid": _NAME, "type": "basic", "mode": "basic"}
    if request.url.path.endswith("_license"):
        return reply(request, {"license": licence | {"issued_to": _NAME, "issuer": _NAME}})
    features = {"ilm": {"available": True, "enabled": True}}
    return reply(request, {"license": licence, "features": features, "tagline": _NOT_NEEDED})


@router.at("/_cluster/health", ["GET"], "health")
def tell_cluster_health(request: Request, house: House, who: Sender) -> Response:
    """``red`` while what is taken in can't be stored."""
    return reply(
        request,
        {
            "cluster_name": _NAME,
            "status": "red" if house.flow.error else "green",
            "timed_out": False,
            "number_of_nodes": 1,
            "number_of_data_nodes": 1,
        },
    )


def _thing(kind: str, name: str) -> dict[str, Any]:
    about = {"_meta": {"managed_by": _NAME, "description": _NOT_NEEDED}}
    things: dict[str, dict[str, Any]] = {
        "_ilm/policy": {name: {"version": 1, "policy": {"phases": {}, **about}}},
        "_index_template": {
            "index_templates": [
                {"name": name, "index_template": {"index_patterns": [name], **about}}
            ]
        },
        "_component_template": {
            "component_templates": [{"name": name, "component_template": {"template": {}, **about}}]
        },
        "_template": {name: {"index_patterns": [name], "settings": {}, "mappings": {}}},
        "_ingest/pipeline": {name: {"description": _NOT_NEEDED, "processors": [], **about}},
        "_data_stream": {"data_streams": [{"name": name, **about}]},
        "_alias": {name: {"aliases": {name: {"is_write_index": True}}}},
    }
    return things[kind]


def _add(kind: str) -> None:
    @router.at(f"/{kind}/{{name}}", _LOOK, f"look at {kind}")
    def look(request: Request, who: Sender, name: str) -> Response:
        """There, so that a sender sets none up."""
        return reply(request, _thing(kind, name))

    @router.at(f"/{kind}/{{name}}", _WRITE, f"set up {kind}")
    def write(request: Request, who: Sender, name: str) -> Response:
        """Acknowledged and not kept: nothing of this kind is needed."""
        return reply(request, {"acknowledged": True})


for _kind in (
    *("_ilm/policy", "_index_template", "_component_template", "_template"),
    *("_ingest/pipeline", "_data_stream", "_alias"),
):
    _add(_kind)


for _path, _class in (("/", _ForPrograms), (PREFIX, ElasticRoute), (f"{PREFIX}/", ElasticRoute)):
    router.add_api_route(
        _path,
        tell_version,
        methods=_LOOK,
        summary="Elastic: who is there",
        include_in_schema=_path == "/",
        route_class_override=_class,
    )


@router.api_route(f"{PREFIX}/{{path:path}}", methods=_ANY, include_in_schema=False)
def refuse(request: Request, who: Sender, path: str) -> Response:
    """Says in JSON what is not there."""
    raise Problem(
        404,
        "No such route",
        f"{request.method} /{path[:200]} is not there: events are sent here, by _bulk or _doc, "
        "and searched under /api/v1/search",
    )
