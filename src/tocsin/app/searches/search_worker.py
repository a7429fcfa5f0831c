"""The process behind ``SearchProcesses``: answers one question after the other, politely."""

import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from tocsin.app.home.history_opening import open_history
from tocsin.store.ports import EventStore, StoreError

_NICE = 10
_SLACK_BYTES = 1536 * 1024**2
_LOOK_S = 0.5
_OWN_MEMORY = Path("/proc/self/statm")

Send = Callable[[Any], None]


class Asked(Protocol):
    """What is asked for, sent to the process; it sends the parts of its answer."""

    def run(self, events: EventStore, send: Send) -> None: ...


def work(pipe: Connection, home: Path, memory_mb: int) -> None:
    """Until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    with suppress(EOFError, OSError):
        asked: Asked = pipe.recv()
        os.nice(_NICE)  # not before: starting is what people wait for
        while True:
            try:
                with open_history(home, memory_mb=memory_mb) as (events, _):
                    _bound_memory(memory_mb)
                    asked.run(events, lambda part: pipe.send(("part", part)))
            except StoreError as error:
                pipe.send(("error", error))
            else:
                pipe.send(("done", None))
            asked = pipe.recv()


def _end_with(server: int) -> None:
    """A server that is killed takes its searches with it, whatever they are at."""
    while os.getppid() == server:
        time.sleep(_LOOK_S)
    os._exit(1)


def _bound_memory(memory_mb: int) -> None:
    """What the database does not count (texts and lists it makes) is bounded by the system.

    Only where the system tells how much is in use (Linux).
    """
    if not _OWN_MEMORY.exists():
        return
    own = int(_OWN_MEMORY.read_text().split()[0]) * resource.getpagesize()
    most = own + memory_mb * 1024**2 + _SLACK_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


if __name__ == "__main__":
    work(Connection(int(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3]))
