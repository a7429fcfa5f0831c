"""Routes of Elasticsearch's, each at the root and once more below a path of its own."""

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter

from tocsin.api.elastic_reply import answer_error
from tocsin.api.sender_route import sender_route

PREFIX = "/elastic"
"""For senders whose Elasticsearch may have a path, and for proxies that go by it."""
_Handler = TypeVar("_Handler", bound=Callable[..., Any])
ElasticRoute = sender_route(answer_error)


class ElasticRouter(APIRouter):
    """A router whose errors are Elasticsearch's."""

    def __init__(self) -> None:
        super().__init__(tags=["senders"], route_class=ElasticRoute)

    def at(self, path: str, methods: list[str], summary: str) -> Callable[[_Handler], _Handler]:
        """Add a handler under both paths; the longer one first, lest it be taken for an index."""

        def add(handler: _Handler) -> _Handler:
            for prefix in (PREFIX, ""):
                self.add_api_route(
                    prefix + path,
                    handler,
                    methods=methods,
                    summary=f"Elastic: {summary}",
                    include_in_schema=not prefix,
                )
            return handler

        return add
