"""Debian's PostgreSQL for tests: one a session, on a socket of its own, in memory's speed."""

import grp
import os
import pwd
import shutil
import subprocess
import tempfile
import threading
from collections import deque
from itertools import count
from pathlib import Path
from types import TracebackType

import psycopg
import pytest

from tocsin.store.engines.state.postgres_state import PostgresState

_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "100",
    "autovacuum": "off",
    "timezone": "Asia/Kathmandu",  # nothing may depend on what a server is set to
    "synchronous_commit": "off",
}
_READY = "ready to accept connections"


def programs() -> Path:
    """The folder of initdb and postgres; skips where there is none."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    for folder in reversed(folders):
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    pytest.skip("PostgreSQL is not installed (Debian: postgresql)")


class PostgresServer:
    """A server as an unprivileged user; a context manager that stops it and removes its data."""

    def __init__(self) -> None:
        self._programs = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="tocsin-pg-"))
        self._numbers = count(1)
        self._said: deque[str] = deque(maxlen=40)
        self._process: subprocess.Popen[str] | None = None
        self._listener: threading.Thread | None = None
        self._migrated = ""

    def __enter__(self) -> "PostgresServer":
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def address(self, database: str) -> str:
        return f"postgresql://tocsin@/{database}?host={self._folder}"

    def create_database(self, template: str = "template0") -> str:
        """An empty database, or a copy of another; its name."""
        name = f"t{next(self._numbers)}"
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def new_state(self) -> str:
        """The address of an empty state store of its own; migrated once a server."""
        if not self._migrated:
            self._migrated = self.create_database()
            PostgresState(self.address(self._migrated)).close()
        return self.address(self.create_database(self._migrated))

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()  # its data is thrown away
            self._process.wait()
            if self._listener is not None:
                self._listener.join()
            assert self._process.stdout is not None
            self._process.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        data = self._folder / "data"
        if os.geteuid() == 0:
            os.chown(self._folder, *_unprivileged())
        made = self._run(
            *("initdb", "--pgdata", str(data), "--no-sync", "--auth=trust", "--username=tocsin"),
            *("--encoding=UTF8", "--locale=C.UTF-8"),
        )
        text, _ = made.communicate(timeout=300)
        assert made.returncode == 0, text
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        self._process = self._run(
            "postgres", "-D", str(data), f"--unix_socket_directories={self._folder}", *settings
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.append(line)
            if _READY in line:
                self._listener = threading.Thread(target=self._listen, daemon=True)
                self._listener.start()
                return
        raise AssertionError("PostgreSQL did not start:\n" + "".join(self._said))

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        user, group = _unprivileged() if os.geteuid() == 0 else (None, None)
        return subprocess.Popen(  # noqa: S603
            [str(self._programs / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self._folder,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )

    def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._said.extend(self._process.stdout)


def _unprivileged() -> tuple[int, int]:
    """PostgreSQL's own user where there is one."""
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return user.pw_uid, user.pw_gid
    return 65534, grp.getgrgid(65534).gr_gid
