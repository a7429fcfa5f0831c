"""What a Linux daemon says by syslog stays in sight of rules for Linux, connector or not."""

import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import tocsin
from tocsin.connectors.catalog import mapping_paths
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import load_rules
from tocsin.ingest.decode import decode
from tocsin.model.lane import Lane, LogSource
from tocsin.model.record import Origin, RawBatch
from tocsin.normalize.check import sample_files
from tocsin.normalize.normalizer import Normalizer

RECEIVED = datetime(2026, 7, 1, tzinfo=UTC)
ORIGIN = Origin("real", RECEIVED, "test", 1)
RULES = Path(tocsin.__file__).parent / "content" / "rules" / "linux"
OF_NO_LINUX_HOST = {
    *("cisco", "pfsense", "paloalto", "checkpoint", "fortigate", "vpcflow", "junos"),
}
"""Appliances: their syslog is no Linux host's, whatever runs inside."""
DAEMONS = [
    *("postgres", "slapd", "radiusd", "dnsmasq", "smbd", "named", "dhcpd", "haproxy", "unbound"),
    *("openvpn", "sshd", "sudo", "cron", "dockerd", "kernel", "kea-dhcp4", "mariadbd", "squid"),
]


def _batches(normalizer: Normalizer, payload: bytes) -> Iterator[tuple[Lane, dict[str, object]]]:
    decoded = decode(RawBatch("real", payload, RECEIVED))
    for batch in normalizer.normalize(decoded, ORIGIN):
        for row in batch.native_rows(range(len(batch))):
            yield batch.lane, row


def _line(program: str, message: str) -> bytes:
    return f"<30>Jun 30 14:31:00 node-1 {program}[500]: {message}".encode()


@pytest.mark.parametrize("folder", [path.parent for path in mapping_paths()], ids=lambda p: p.name)
def test_samples_by_syslog_answer_for_linux(folder: Path, normalizer: Normalizer) -> None:
    if folder.name in OF_NO_LINUX_HOST:
        return
    for path in sample_files(folder):
        if path.suffix != ".log":
            continue
        for lane, row in _batches(normalizer, path.read_bytes()):
            if row.get("program") and lane.connector not in OF_NO_LINUX_HOST:
                assert lane.accepts(LogSource("linux")), f"{lane.id}: {row}"


@pytest.mark.parametrize("program", DAEMONS)
def test_general_rules_of_the_pack_see_every_daemon(program: str, normalizer: Normalizer) -> None:
    engine = Engine(load_rules([RULES / "certificate_expires_soon.yml"]))
    line = _line(program, "certificate CN=node-1.example.com expires in 9 days")
    (batch,) = normalizer.normalize(decode(RawBatch("real", line, RECEIVED)), ORIGIN)
    assert [hit.rows for hit in engine.evaluate(batch)] == [(0,)], batch.lane.id


def test_a_rule_about_one_daemon_sees_its_own_lane(normalizer: Normalizer) -> None:
    engine = Engine(load_rules([RULES / "replication_broken.yml"]))
    said = "[3-1] FATAL:  could not receive data from WAL stream: server closed the connection"
    (batch,) = normalizer.normalize(
        decode(RawBatch("real", _line("postgres", said), RECEIVED)), ORIGIN
    )
    assert batch.lane.connector == "postgresql"
    assert [hit.rows for hit in engine.evaluate(batch)] == [(0,)]


@pytest.mark.parametrize(
    ("program", "message", "rule"),
    [
        ("named", "client @0x7f 192.0.2.7#4711: zone 'example.com' denied AXFR from it", "Named"),
        ("postgres", "[4-1] LOG:  statement: COPY t FROM PROGRAM 'rm /var/log/syslog'", "Syslog"),
        ("smbd", "*** stack smashing detected ***: terminated", "Buffer Overflow"),
        ("slapd", "*** stack smashing detected ***: terminated", "Buffer Overflow"),
        ("radiusd", "*** stack smashing detected ***: terminated", "Buffer Overflow"),
        ("dnsmasq", "*** stack smashing detected ***: terminated", "Buffer Overflow"),
        ("sshd", "fatal: buffer_get_string: bad string", "OpenSSH"),
    ],
)
def test_public_linux_rules_see_daemons_lines(
    program: str, message: str, rule: str, normalizer: Normalizer, linux_rules: Engine
) -> None:
    (batch,) = normalizer.normalize(
        decode(RawBatch("real", _line(program, message), RECEIVED)), ORIGIN
    )
    found = [hit.rule.title for hit in linux_rules.evaluate(batch)]
    assert any(rule in title for title in found), (batch.lane.id, found)


@pytest.fixture(scope="module")
def linux_rules(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("rules")
    with tarfile.open(test_data / "sigma-rules" / "rules.tar.xz") as archive:
        for member in archive:
            if "/linux/builtin/" in f"/{member.name}" and member.name.endswith(".yml"):
                archive.extract(member, folder, filter="data")
    return Engine(load_rules([folder]))
