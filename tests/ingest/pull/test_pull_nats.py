"""A stream comes in from a real nats-server, which dies in the middle: nothing is lost."""

import asyncio
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js.api import StreamConfig

from tests.ingest.pulling import Spool, means, pulling, wait_for_error
from tests.server_process import wait_until
from tocsin.ingest.pull.pull_nats import open_pull
from tocsin.ingest.pull.pull_settings import NatsSettings
from tocsin.model.intake import IntakeState

PROGRAM = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="nats-server is not installed (Debian's)")


class Server:
    """nats-server with JetStream on a port of its own, which it keeps over restarts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert PROGRAM is not None
        told = f"""
            listen: 127.0.0.1:{self.port}
            jetstream {{ store_dir: "{self._folder}/store" }}
            authorization {{ users: [ {{user: ours, password: "right"}} ] }}
        """
        (self._folder / "nats.conf").write_text(told)
        self._process = subprocess.Popen(  # noqa: S603
            [PROGRAM, "-c", str(self._folder / "nats.conf"), "-l", str(self._folder / "log")]
        )
        wait_until(self._answers, "nats-server")

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(60)

    def publish(self, *messages: bytes) -> None:
        async def send() -> None:
            client = await nats.connect(self.url, user="ours", password="right")
            stream = client.jetstream()
            await stream.add_stream(StreamConfig(name="LOGS", subjects=["logs.>"]))
            for message in messages:
                await stream.publish("logs.web", message)
            await client.close()

        asyncio.run(send())

    def pending(self) -> int:
        async def ask() -> int:
            client = await nats.connect(self.url, user="ours", password="right")
            told = await client.jetstream().consumer_info("LOGS", "tocsin")
            await client.close()
            return (told.num_ack_pending or 0) + (told.num_pending or 0)

        return asyncio.run(ask())

    def settings(self, **more: Any) -> NatsSettings:
        told = {"servers": (self.url,), "stream": "LOGS", "username": "ours"}
        return NatsSettings(**{"name": "bus", "password_env": "UNUSED", **told, **more})

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    made.start()
    yield made
    made.kill()


def test_a_server_that_dies_in_the_middle_costs_nothing(server: Server) -> None:
    server.publish(*(b'{"n":%d}' % number for number in range(300)))
    spool = Spool()
    settings = server.settings(ack_wait_s=5)
    with pulling(lambda: open_pull(settings, means("nats/bus", password="right")), spool) as loop:
        spool.wait_for(300)
        server.kill()
        wait_until(lambda: loop.look().state is IntakeState.FAILING, "the loss to be seen")
        server.start()
        server.publish(*(b'{"n":%d}' % number for number in range(300, 600)))
        wait_until(lambda: len(set(spool.lines)) == 600, "all messages")
        wait_until(lambda: server.pending() == 0, "all to be acknowledged")
        assert loop.look().error == ""
    assert set(spool.lines) == {b'{"n":%d}' % number for number in range(600)}
    assert spool.batches[0].source == "nats/bus"
    assert spool.batches[0].place.startswith("nats logs.web@")


def test_nothing_is_acknowledged_while_the_spool_is_full(server: Server) -> None:
    server.publish(b"waits")
    spool = Spool()
    spool.is_full.set()
    settings = server.settings(consumer="second", subject="logs.>")
    with pulling(lambda: open_pull(settings, means(password="right")), spool):
        assert spool.refused.wait(60)
        spool.is_full.clear()
        wait_until(lambda: b"waits" in spool.lines, "the message")


@pytest.mark.parametrize(
    ("wrong", "secret", "words"),
    [
        ({"stream": "NONE"}, "right", ("stream NONE", "no such stream")),
        ({}, "wrong-secret", ("Authorization Violation",)),
        ({"servers": ("nats://127.0.0.1:9",)}, "right", ("127.0.0.1:9",)),
    ],
    ids=["no stream", "wrong password", "server down"],
)
def test_what_is_wrong_is_said_in_words(
    server: Server, wrong: dict[str, Any], secret: str, words: tuple[str, ...]
) -> None:
    settings = server.settings(**wrong)
    with pulling(lambda: open_pull(settings, means(password=secret)), Spool()) as loop:
        told = wait_for_error(loop, *words)
    assert "wrong-secret" not in told
