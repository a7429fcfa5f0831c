"""HTTP connections that wait for nobody forever: slow heads, unread answers and too many are ended."""

import asyncio
import resource
from collections import Counter
from typing import Any, ClassVar

import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 30.0
"""A request's head must be whole so long after its first byte, or after connecting."""
UNREAD_S = 60.0
"""An answer that is not read for so long is given up."""
_RESERVED_FILES = 256
"""Open files kept for the store, the spool and the programs we start."""
_MOST_FILES = 65_536
_log = structlog.get_logger()


def raise_open_files() -> int:
    """Allow as many open files as the system lets us; how many of them may be connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, _MOST_FILES) if hard != resource.RLIM_INFINITY else _MOST_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft == resource.RLIM_INFINITY:
        soft = _MOST_FILES
    return max(64, soft - _RESERVED_FILES)


class PatientConnection(H11Protocol):
    """Uvicorn's connection with the patience it lacks; ``most`` bounds how many are open at once."""

    most = 768
    head_s = HEAD_S
    unread_s = UNREAD_S
    times: ClassVar[Counter[str]] = Counter()

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._head: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most:
            advice = "raise the limit of open files (ulimit -n), or stop who opens so many"
            self._tell("http_connections_full", most=self.most, advice=advice)
            transport.abort()
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        self._forget_unread()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget_head()
        elif self._head is None:
            self._await_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(
                self.unread_s, self._give_up, f"it has not read its answer for {self.unread_s:g} s"
            )

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget_unread()

    def _await_head(self) -> None:
        self._head = self.loop.call_later(
            self.head_s, self._give_up, f"its request was not begun in full for {self.head_s:g} s"
        )

    def _forget_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _forget_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _give_up(self, reason: str) -> None:
        self._tell("http_connection_ended", reason=reason)
        self.transport.abort()

    def _tell(self, event: str, **facts: object) -> None:
        """Logged the first, tenth, hundredth time …: whoever floods us must not flood the log."""
        self.times[event] += 1
        times = str(self.times[event])
        if times.rstrip("0") == "1":
            address = self.client[0] if self.client else "unknown"
            _log.warning(event, address=address, times=int(times), **facts)


def patient_connections(most: int) -> type[PatientConnection]:
    """The class for a server that may hold ``most`` connections."""
    return type("PatientConnection", (PatientConnection,), {"most": most, "times": Counter()})
