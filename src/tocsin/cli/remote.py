"""Talks to the server that already runs on a data folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import httpx2

from tocsin.cli.output import Exit, fail
from tocsin.store.errors import StoreError


class Remote:
    """A client of a server on this machine; a refusal becomes one clear line."""

    def __init__(self, facts: dict[str, str], timeout_s: float = 120.0) -> None:
        """``facts`` are what the server announced: ``url`` and ``token``."""
        self._client = httpx2.Client(
            base_url=facts["url"],
            headers={"Authorization": f"Bearer {facts['token']}"},
            timeout=timeout_s,
            trust_env=False,
        )

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        return self._answer("GET", path, params=_given(params))

    def post(
        self, path: str, *, content: bytes | None = None, json: Any = None, **params: Any
    ) -> dict[str, Any]:
        return self._answer("POST", path, params=_given(params), content=content, json=json)

    def delete(self, path: str, **params: Any) -> dict[str, Any]:
        return self._answer("DELETE", path, params=_given(params))

    @contextmanager
    def stream(self, path: str, *, json: Any = None, **params: Any) -> Iterator[httpx2.Response]:
        """An answer that is read piece by piece, of what is posted when ``json`` is given.

        It may begin late, as the server bounds its time; one that breaks off is a ``StoreError``.
        """
        method = "GET" if json is None else "POST"
        patience = httpx2.Timeout(self._client.timeout.connect, read=None)
        asked = {"params": _given(params), "json": json, "timeout": patience}
        try:
            with self._client.stream(method, path, **asked) as response:
                if response.is_error:
                    response.read()
                    _refused(response)
                yield response
        except httpx2.HTTPError as error:
            raise StoreError(f"the server at {self._client.base_url} broke off: {error}") from error

    def _answer(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            response = self._client.request(method, path, **more)
        except httpx2.HTTPError as error:
            fail(
                f"the server at {self._client.base_url} does not answer: {error}",
                Exit.BAD_CONFIGURATION,
            )
        if response.is_error:
            _refused(response)
        body: dict[str, Any] = response.json()
        return body


def _refused(response: httpx2.Response) -> NoReturn:
    body = response.json()
    fail(f"{body.get('title', response.reason_phrase)}: {body.get('detail', '')}")


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
