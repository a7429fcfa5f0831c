"""A real rsyslog sends to us, with the configuration the guide gives."""

import asyncio
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tocsin.ingest.decode import decode
from tocsin.ingest.syslog_server import SyslogServer
from tocsin.model.record import RawBatch

RSYSLOGD = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/sbin:/bin")
MESSAGES = 300
PATIENCE_S = 30.0


def _configuration(folder: Path, forward: str) -> str:
    return f"""
global(workDirectory="{folder}")
module(load="imfile" PollingInterval="1")
input(type="imfile" File="{folder}/app.log" Tag="app:" Facility="local3" Severity="warning")
*.* {forward}
"""


@pytest.mark.skipif(RSYSLOGD is None, reason="rsyslog is not installed (Debian: rsyslog)")
@pytest.mark.parametrize(
    ("protocol", "options"),
    [
        ("tcp", 'TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"'),
        ("tcp", 'template="RSYSLOG_TraditionalForwardFormat"'),
        ("udp", 'template="RSYSLOG_SyslogProtocol23Format"'),
    ],
)
def test_rsyslog_loses_nothing(tmp_path: Path, protocol: str, options: str) -> None:
    lines = [f"message {number} of many" for number in range(MESSAGES)]
    (tmp_path / "app.log").write_text("".join(f"{line}\n" for line in lines))
    received = asyncio.run(_receive(tmp_path, protocol, options))
    records = [record for batch in received for record in decode(batch).records]
    told = [str(record["message"]).strip() for record in records if record["program"] == "app"]
    assert sorted(told) == sorted(lines)
    assert {record["facility"] for record in records if record["program"] == "app"} == {"local3"}


async def _receive(folder: Path, protocol: str, options: str) -> list[RawBatch]:
    received: list[RawBatch] = []

    async def accept(batches: Sequence[RawBatch]) -> int:
        received.extend(batches)
        return len(received)

    server = SyslogServer(accept, "127.0.0.1", 0, 0)
    await server.start()
    port = server.tcp_port if protocol == "tcp" else server.udp_port
    forward = (
        f'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="{protocol}" {options})'
    )
    path = folder / "rsyslog.conf"
    path.write_text(_configuration(folder, forward))
    assert RSYSLOGD is not None
    sender = subprocess.Popen(  # noqa: S603
        [RSYSLOGD, "-n", "-f", str(path), "-i", str(folder / "rsyslogd.pid")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            while server.accepted < MESSAGES:
                assert sender.poll() is None, sender.stderr.read() if sender.stderr else ""
                await asyncio.sleep(0.05)
    finally:
        sender.terminate()
        sender.communicate(timeout=PATIENCE_S)
        await server.stop()
    return received
