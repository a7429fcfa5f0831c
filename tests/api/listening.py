"""A door on a real port of loopback, for clients that bring their own HTTP."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from tests.api.sending import Door
from tocsin.api.application import create_api

PATIENCE_S = 30.0


@contextmanager
def listening(door: Door) -> Iterator[str]:
    """The address at which the door's API answers while this is open."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_api(door.house), log_level="error", lifespan="off", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="api")
    thread.start()
    deadline = time.monotonic() + PATIENCE_S
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=PATIENCE_S)
        listener.close()
