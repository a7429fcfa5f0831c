"""A real rsyslog and a real syslog-ng send to us, with the configuration the guide gives."""

import asyncio
import os
import shutil
import ssl
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.ingest.certificates import Authority
from tocsin.ingest.decode import decode
from tocsin.ingest.syslog.syslog_server import SyslogServer
from tocsin.ingest.syslog.syslog_tls import tls_context
from tocsin.model.record import RawBatch

_PROGRAMS = "/usr/sbin:/usr/bin:/sbin:/bin"
RSYSLOGD = shutil.which("rsyslogd", path=_PROGRAMS)
UNPACKED = Path(os.environ.get("TOCSIN_TEST_SYSLOG_NG", "/"))
"""Where Debian's syslog-ng-core is unpacked: it can't be installed beside rsyslog."""
SYSLOG_NG = shutil.which("syslog-ng", path=f"{UNPACKED}/usr/sbin:{_PROGRAMS}")
DRIVERS = {
    driver: list(Path("/usr/lib").glob(f"*/rsyslog/lmnsd_{driver}.so"))
    for driver in ("ossl", "gtls")
}
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


@pytest.mark.skipif(RSYSLOGD is None, reason="rsyslog is not installed (Debian: rsyslog)")
@pytest.mark.parametrize("driver", DRIVERS)
def test_rsyslog_sends_over_tls_with_its_own_certificate(tmp_path: Path, driver: str) -> None:
    if not DRIVERS[driver]:
        package = {"ossl": "rsyslog-openssl", "gtls": "rsyslog-gnutls"}[driver]
        pytest.skip(f"rsyslog's TLS by {driver} is not installed (Debian: {package})")
    authority = Authority(tmp_path)
    pair, own = authority.issue("server"), authority.issue("sender")
    lines = [f"message {number} of many" for number in range(MESSAGES)]
    (tmp_path / "app.log").write_text("".join(f"{line}\n" for line in lines))
    options = f'''
        TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"
        StreamDriver="{driver}" StreamDriverMode="1" StreamDriverAuthMode="x509/certvalid"
        StreamDriver.CAFile="{authority.certificate}"
        StreamDriver.CertFile="{own.certificate}" StreamDriver.KeyFile="{own.key}"'''
    tls = tls_context(pair.certificate, pair.key, authority.certificate)
    received = asyncio.run(_receive(tmp_path, "tcp", options, tls))
    records = [record for batch in received for record in decode(batch).records]
    told = [str(record["message"]).strip() for record in records if record["program"] == "app"]
    assert sorted(told) == sorted(lines)


@pytest.mark.skipif(SYSLOG_NG is None, reason="syslog-ng is not installed (Debian: syslog-ng-core)")
@pytest.mark.parametrize("is_tls", [False, True])
def test_syslog_ng_loses_nothing(tmp_path: Path, is_tls: bool) -> None:
    authority = Authority(tmp_path)
    pair, own = authority.issue("server"), authority.issue("sender")
    lines = [f"message {number} of many" for number in range(MESSAGES)]
    (tmp_path / "app.log").write_text("".join(f"{line}\n" for line in lines))
    tls = tls_context(pair.certificate, pair.key, authority.certificate) if is_tls else None
    options = f'''transport("tls") tls(ca-file("{authority.certificate}")
        cert-file("{own.certificate}") key-file("{own.key}"))'''
    received = asyncio.run(_receive_syslog_ng(tmp_path, options if is_tls else "", tls))
    records = [record for batch in received for record in decode(batch).records]
    told = [str(record["message"]).strip() for record in records]
    assert sorted(text for text in told if text.startswith("message ")) == sorted(lines)


async def _receive_syslog_ng(
    folder: Path, options: str, tls: ssl.SSLContext | None
) -> list[RawBatch]:
    def command(port: int) -> list[str]:
        path = folder / "syslog-ng.conf"
        path.write_text(f'''@version: current
source s {{ file("{folder}/app.log" flags(no-parse) program-override("app")); }};
destination d {{ syslog("127.0.0.1" port({port}) {options or 'transport("tcp")'}); }};
log {{ source(s); destination(d); }};
''')
        files = [f"--{name}={folder}/syslog-ng.{name}" for name in ("persist-file", "pidfile")]
        control = f"--control={folder}/syslog-ng.ctl"
        modules = ":".join(map(str, UNPACKED.glob("usr/lib/syslog-ng/*.*")))
        own = ["-F", "-f", str(path), "--no-caps", control, f"--module-path={modules}", *files]
        return ["env", f"LD_LIBRARY_PATH={UNPACKED}/usr/lib/syslog-ng", str(SYSLOG_NG), *own]

    return await _hear(command, tls)


async def _receive(
    folder: Path, protocol: str, options: str, tls: ssl.SSLContext | None = None
) -> list[RawBatch]:
    def command(port: int) -> list[str]:
        target = f'target="127.0.0.1" port="{port}" protocol="{protocol}"'
        path = folder / "rsyslog.conf"
        path.write_text(_configuration(folder, f'action(type="omfwd" {target} {options})'))
        return [str(RSYSLOGD), "-n", "-f", str(path), "-i", str(folder / "rsyslogd.pid")]

    return await _hear(command, tls, is_udp=protocol == "udp")


async def _hear(
    command: Callable[[int], list[str]], tls: ssl.SSLContext | None, *, is_udp: bool = False
) -> list[RawBatch]:
    """What comes to a listener from the program that ``command`` tells for its port."""
    received: list[RawBatch] = []

    async def accept(batches: Sequence[RawBatch]) -> int:
        received.extend(batches)
        return len(received)

    server = SyslogServer(accept, "127.0.0.1", 0, 0, tls=tls)
    await server.start()
    sender = subprocess.Popen(  # noqa: S603
        command(server.udp_port if is_udp else server.tcp_port),
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
