"""Routes of other products' protocols, whose senders want errors in their own form."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

Answer = Callable[[Request, Exception], Response | None]


def sender_route(answer: Answer) -> type[APIRoute]:
    """A class of routes that put what went wrong (None: as everywhere) into ``answer``'s words."""

    class SenderRoute(APIRoute):
        """Asks ``answer`` first."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handle_or_answer(request: Request) -> Response:
                try:
                    return await handle(request)
                except Exception as error:
                    response = answer(request, error)
                    if response is None:
                        raise
                    return response

            return handle_or_answer

    return SenderRoute


def sender_name(principal_name: str) -> str:
    """The name that a token's owner gave it, for the names of sources."""
    return principal_name.removeprefix("token:")
