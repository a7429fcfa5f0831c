"""A real ``tocsin serve`` in a process of its own, for tests that stop it rudely."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2

from tocsin.app.home.home import running_server

PATIENCE_S = 240.0


class ServerProcess:
    """Starts the server on a data folder with free ports; a context manager that stops it."""

    def __init__(
        self, home: Path, *, port: int = 0, syslog_port: int = 0, **environment: str
    ) -> None:
        self.home = home
        self._ports = (port, syslog_port)
        self._environment = environment
        self.process: subprocess.Popen[bytes] | None = None
        self.client = httpx2.Client()
        self.facts: dict[str, Any] = {}

    def start(self) -> "ServerProcess":
        self.spawn()
        return self.await_ready()

    def spawn(self) -> None:
        """Start the process; it listens once ``await_ready`` returns."""
        self.home.mkdir(parents=True, exist_ok=True)
        log = (self.home / "server.log").open("ab")
        self.process = subprocess.Popen(  # noqa: S603
            [
                sys.executable,
                "-c",
                "from tocsin.cli.main import main; main()",
                "serve",
                "--home",
                str(self.home),
                "--port",
                str(self._ports[0]),
                "--syslog-port",
                str(self._ports[1]),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **self._environment},
        )
        log.close()

    def await_ready(self) -> "ServerProcess":
        facts = self._facts()
        self.facts = facts
        self.client.close()
        self.client = httpx2.Client(
            base_url=facts["url"],
            headers={"Authorization": f"Bearer {facts['token']}"},
            timeout=30.0,
            trust_env=False,
        )
        return self

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=PATIENCE_S)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout=PATIENCE_S)

    def log(self) -> str:
        return (self.home / "server.log").read_text(errors="replace")

    def __enter__(self) -> "ServerProcess":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()
        if self.process is not None and self.process.poll() is None:
            self.stop()

    def _facts(self) -> dict[str, Any]:
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            facts = running_server(self.home)
            if facts and facts.get("pid") == self.process.pid:
                return facts
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"the server did not start:\n{self.log()[-4000:]}")


def wait_until(holds: Any, what: str, patience_s: float = PATIENCE_S) -> None:
    """Poll until ``holds()`` is true; fails with ``what`` after ``patience_s``."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s in vain for: {what}"
        time.sleep(0.05)


def ndjson(records: list[dict[str, Any]]) -> bytes:
    return b"\n".join(json.dumps(record).encode() for record in records)
