"""A stand-in for ClickHouse's HTTP server: it notes what is sent, and the engine here answers.

No server of ClickHouse is packaged for where the tests run. Its engine is (``chdb``), so answers
are real; what is not is the server itself: authentication, TLS, replicas, and how it ends a query.
"""

import threading
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import DatabaseError

_OF_HTTP = frozenset(
    {
        *("query", "query_id", "database", "default_format", "wait_end_of_query"),
        *("client_protocol_version", "enable_http_compression", "session_id"),
        *("send_progress_in_http_headers", "http_headers_progress_interval_ms"),
    }
)
_SETTLED = ("SELECT", "WITH", "INSERT")
"""Statements that take settings of their own; others go by the engine's."""
_CANCELLED = 394


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked for: the statement, and all that went with it, ``param_…`` for values."""

    statement: str
    asked: dict[str, str]
    user: str

    @property
    def settings(self) -> dict[str, str]:
        """What the engine is to be told."""
        return {
            name: value
            for name, value in self.asked.items()
            if name not in _OF_HTTP and not name.startswith("param_")
        }


class ClickHouseServer:
    """Listens on loopback; a context manager that stops it.

    ``hangs`` says of a statement that it does not end by itself: only KILL QUERY ends it. It has
    no settings of tables that it ``lacks``.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.hangs: Callable[[str], bool] = lambda _: False
        self.hanging = threading.Event()
        self.lacks: frozenset[str] = frozenset()
        self._killed: dict[str, threading.Event] = {}
        self._engine = clickhouse_connect.get_client(dsn="chdb://memory")
        self._engine.command("SET mutations_sync = 2, lightweight_deletes_sync = 2")
        served = self

        class Handler(_Handler):
            server_of = served

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever)

    @property
    def address(self) -> str:
        return f"clickhouse://tocsin:secret@127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> "ClickHouseServer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for killed in self._killed.values():
            killed.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._engine.close()

    def command(self, statement: str) -> object:
        """What the engine itself answers: one value, or nothing."""
        return self._engine.command(statement)

    def answered(self, asked: Request, data: bytes) -> bytes:
        """What the engine says; raises DatabaseError."""
        self.requests.append(asked)
        asked = self._without_lacking(asked)
        if asked.statement.startswith("KILL QUERY"):
            self._killed.setdefault(asked.asked["param_id"], threading.Event()).set()
            return b""
        if self.hangs(asked.statement):
            killed = self._killed.setdefault(asked.asked["query_id"], threading.Event())
            self.hanging.set()
            killed.wait()
            raise DatabaseError("Code: 394. DB::Exception: Query was cancelled", code=_CANCELLED)
        if data:
            table, _, form = asked.statement.removeprefix("INSERT INTO ").partition(" FORMAT ")
            named, _, columns = table.partition(" (")
            names = [name.strip(" `") for name in columns.rstrip(") ").split(",")]
            self._engine.raw_insert(named, names, data, asked.settings, form.strip())
            return b""
        body, _, form = asked.statement.rpartition("FORMAT ")
        if body and asked.settings and asked.statement.startswith(_SETTLED):
            told = ", ".join(f"{name} = '{value}'" for name, value in asked.settings.items())
            return self._engine.raw_query(f"{body} SETTINGS {told} FORMAT {form}")
        return self._engine.raw_query(asked.statement)

    def _without_lacking(self, asked: Request) -> Request:
        for name in self.lacks if asked.statement.startswith(("CREATE", "ALTER")) else ():
            if name in asked.statement:
                raise DatabaseError(f"Code: 115. DB::Exception: Unknown setting '{name}'", code=115)
        known = "system.merge_tree_settings"
        others = ", ".join(f"'{name}'" for name in self.lacks)
        place = f"(SELECT * FROM {known} WHERE name NOT IN ({others}))" if others else known  # noqa: S608
        return replace(asked, statement=asked.statement.replace(known, place))


class _Handler(BaseHTTPRequestHandler):
    server_of: ClickHouseServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(200, b"Ok.\n")

    def do_POST(self) -> None:
        asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = self._body()
        statement, data = (asked["query"], body) if "query" in asked else (body.decode(), b"")
        told = self.headers.get("Authorization", "").removeprefix("Basic ")
        request = Request(statement.strip(), asked, b64decode(told).decode())
        try:
            self._answer(200, self.server_of.answered(request, data))
        except DatabaseError as error:
            code = {"X-ClickHouse-Exception-Code": str(error.code or 1)}
            self._answer(500, str(error).encode(), code)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Tests need no lines on stderr."""
