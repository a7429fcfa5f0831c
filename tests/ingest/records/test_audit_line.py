"""Audit records: auditd's own field names, out of quotes and hexadecimal."""

import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest.records.audit_line import read_audit


def fields(text: str) -> dict[str, object]:
    found = read_audit(text)
    assert found is not None
    return found[0]


def test_a_system_call() -> None:
    record = fields(
        "type=SYSCALL msg=audit(1490995752.404:206): arch=c000003e syscall=59 success=yes "
        'exit=0 a0=9 a1=7f56 ppid=1 pid=2 comm="ls" exe="/bin/ls" key=(null)'
    )
    assert record["type"] == "SYSCALL"
    assert record["audit_time"] == 1490995752.404
    assert record["audit_serial"] == 206
    assert (record["a1"], record["comm"], record["key"]) == ("7f56", "ls", "(null)")


def test_untrusted_values_come_out_of_hexadecimal() -> None:
    title = "proctitle=" + b"rm\0-rf\0/tmp/a b".hex().upper()
    assert fields(f"type=PROCTITLE msg=audit(1.5:7): {title}")["proctitle"] == "rm -rf /tmp/a b"
    name = fields("type=PATH msg=audit(1.5:7): item=0 name=2F612062 inode=1442434")
    assert (name["name"], name["inode"]) == ("/a b", "1442434")


def test_arguments_of_a_program_are_decoded_and_joined() -> None:
    record = fields(
        'type=EXECVE msg=audit(1.5:7): argc=3 a0="sh" a1=2D63 a2_len=8 a2[0]=6563 a2[1]=686F'
    )
    assert [record[name] for name in ("a0", "a1", "a2")] == ["sh", "-c", "echo"]
    assert "a2[0]" not in record


def test_pairs_within_msg_stand_beside_the_others() -> None:
    record = fields(
        "type=USER_CMD msg=audit(1488862769.030:19): user pid=3027 uid=497 auid=700 ses=1 "
        "msg='cwd=\"/\" cmd=6C73202D6C terminal=? res=success'"
    )
    assert (record["cmd"], record["cwd"], record["res"]) == ("ls -l", "/", "success")


def test_enriched_names_are_kept_beside_the_numbers() -> None:
    record = fields('type=LOGIN msg=audit(1.5:7): pid=1 uid=0 res=1\x1dUID="root" AUID="ann"')
    assert (record["uid"], record["UID"], record["AUID"]) == ("0", "root", "ann")


def test_selinux_and_kernel_spelling() -> None:
    record = fields(
        'audit: type=1400 audit(1.5:7): avc:  denied  { read } for  pid=9 comm="x" tclass=file'
    )
    assert (record["type"], record["seresult"], record["seperms"]) == ("AVC", "denied", "read")
    assert record["tclass"] == "file"


def test_a_repeated_field_keeps_its_first_value_and_the_bytes() -> None:
    found = read_audit("type=X msg=audit(1.5:7): pid=1 pid=2")
    assert found is not None
    assert found[0]["pid"] == "1"
    assert found[1]


def test_other_lines_are_no_audit_records() -> None:
    assert read_audit("Mar 27 13:06:56 host audit(ed)") is None


@given(st.text(max_size=300))
def test_any_tail_is_read_without_an_exception(tail: str) -> None:
    assert fields("type=SYSCALL msg=audit(1.5:7): " + tail)["audit_serial"] == 7


TRANSLATED = {"arch", "auid", "exit", "old-auid", "ses", "sig", "syscall"}


def test_real_records_agree_with_another_parser(test_data: Path, tmp_path: Path) -> None:
    """Except where that parser turns numbers into words."""
    with tarfile.open(test_data / "linux-audit" / "testdata.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    compared = 0
    for golden in sorted(tmp_path.rglob("auparse/testdata/*.golden")):
        for expected in filter(None, json.loads(golden.read_text(encoding="utf-8"))):
            record = fields(f"type={expected['record_type'].upper()} msg={expected['raw_msg']}")
            assert record["audit_serial"] == expected["sequence"]
            for name, told in (expected.get("data") or {}).items():
                if name in record and name not in TRANSLATED:
                    assert record[name] == told, (expected["raw_msg"], name)
                    compared += 1
    assert compared > 500


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (
            "02000050C6336407" + "0" * 16,
            {"saddr_fam": "inet", "laddr": "198.51.100.7", "lport": "80"},
        ),
        (
            "0A0000160000000020010DB8000000000000000000000007" + "0" * 8,
            {"saddr_fam": "inet6", "laddr": "2001:db8::7", "lport": "22"},
        ),
        ("01002F72756E2F6E00FF", {"saddr_fam": "local", "path": "/run/n"}),
        ("100000000000000000000000", {"saddr_fam": "netlink"}),
        ("0200", {"saddr_fam": "inet"}),
        ("zz", {}),
    ],
)
def test_a_socket_address_is_read(address: str, told: dict[str, str]) -> None:
    read = read_audit(f"type=SOCKADDR msg=audit(1700000000.000:7): saddr={address}")
    assert read is not None
    assert {
        name: value
        for name, value in read[0].items()
        if name in {"saddr_fam", "laddr", "lport", "path"}
    } == told


def test_parentheses_of_old_records_are_no_part_of_a_value() -> None:
    read = read_audit(
        "type=USER_START msg=audit(1700000000.000:7): msg='PAM: session open acct=root : "
        'exe="/usr/sbin/crond" (hostname=?, addr=?, terminal=cron res=success)\''
    )
    assert read is not None
    assert (read[0]["res"], read[0]["hostname"]) == ("success", "?")
