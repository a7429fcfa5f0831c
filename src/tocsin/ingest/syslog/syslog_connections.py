"""The connections of one syslog listener: how many there may be, and that the dead ones end."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterable

import structlog

_log = structlog.get_logger()
_ADVICE = (
    "raise max_connections of this listener, or let senders share one (a relay); "
    "close those of senders that connect anew for each message"
)
KEEPALIVE_S = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15))
_PROBES = 4
_AT_ONCE = struct.pack("ii", 1, 0)


class OpenConnections:
    """At most ``most`` at once; one more is refused at once, as rsyslog and syslog-ng do.

    Refused rather than taken in exchange for an idle one: the refused sender knows and holds what
    it has, the idle one would lose what it sends next.
    """

    def __init__(self, listener: str, most: int) -> None:
        self._listener = listener
        self.most = most
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.refused = 0

    def __len__(self) -> int:
        return len(self._open)

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """Who serves them."""
        return list(self._open)

    @property
    def writers(self) -> Iterable[asyncio.StreamWriter]:
        return self._open.values()

    def has_room(self, writer: asyncio.StreamWriter) -> bool:
        """True when one more may come; otherwise it is reset and counted."""
        if len(self._open) < self.most:
            return True
        with contextlib.suppress(OSError):  # a reset: nobody is to believe that a message went out
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE
            )
        writer.transport.abort()
        self.refused += 1
        if self.refused == 10 ** (len(str(self.refused)) - 1):  # the first, tenth, hundredth …
            _log.warning(
                "syslog_connections_full",
                listener=self._listener,
                sender=str((writer.get_extra_info("peername") or ("unknown",))[0]),
                most=self.most,
                refused=self.refused,
                advice=_ADVICE,
            )
        return False

    def add(self, task: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        """Count it until its task is done; a peer that is gone is noticed after two minutes."""
        _keep_alive(writer.get_extra_info("socket"))
        self._open[task] = writer
        task.add_done_callback(self._open.pop)


def _keep_alive(connection: socket.socket | None) -> None:
    if connection is None:
        return
    with contextlib.suppress(OSError):  # it is gone already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value_s in KEEPALIVE_S:
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value_s)
        if hasattr(socket, "TCP_KEEPCNT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
