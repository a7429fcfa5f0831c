"""Syslog headers of both RFCs, and of what forwarders really write."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest.records.syslog_message import read_syslog

NOW = datetime(2026, 3, 28, 9, 0, tzinfo=UTC)


def test_rfc_5424_with_structured_data() -> None:
    text = (
        "<165>1 2003-10-11T22:14:15.003Z mail.example.com evntslog 8710 ID47 "
        r'[ex@32473 iut="3" source="App\"lica\]tion\\"][second x="1"] ' + "\ufeffAn event"
    )
    assert read_syslog(text, NOW) == {
        "facility": "local4",
        "severity": "notice",
        "timestamp": "2003-10-11T22:14:15.003Z",
        "hostname": "mail.example.com",
        "program": "evntslog",
        "pid": 8710,
        "msgid": "ID47",
        "structured_data": {
            "ex@32473": {"iut": "3", "source": 'App"lica]tion\\'},
            "second": {"x": "1"},
        },
        "message": "An event",
    }


def test_rfc_5424_nil_values_are_left_out() -> None:
    assert read_syslog("<0>1 - - - - - -", NOW) == {
        "facility": "kern",
        "severity": "emerg",
        "message": "",
    }


def test_a_procid_that_is_no_number_stays_text() -> None:
    fields = read_syslog("<13>1 2026-01-01T00:00:00Z h app worker-3 - - hi", NOW)
    assert fields is not None
    assert fields["procid"] == "worker-3"
    assert "pid" not in fields


def test_rfc_3164() -> None:
    assert read_syslog("<34>Oct 11 22:14:15 mymachine su[7]: 'su root' failed", NOW) == {
        "facility": "auth",
        "severity": "crit",
        "timestamp": "2025-10-11T22:14:15Z",
        "hostname": "mymachine",
        "program": "su",
        "pid": 7,
        "message": "'su root' failed",
    }


def test_a_file_line_without_priority() -> None:
    fields = read_syslog("Mar  7 13:06:56 ip-10 sshd[1291]: Server listening on :: port 22.", NOW)
    assert fields == {
        "timestamp": "2026-03-07T13:06:56Z",
        "hostname": "ip-10",
        "program": "sshd",
        "pid": 1291,
        "message": "Server listening on :: port 22.",
    }


def test_modern_rsyslog_writes_iso_times() -> None:
    fields = read_syslog("2026-03-01T00:00:00.123456+01:00 web01 sudo:    al : TTY=pts/0", NOW)
    assert fields == {
        "timestamp": "2026-03-01T00:00:00.123456+01:00",
        "hostname": "web01",
        "program": "sudo",
        "message": "al : TTY=pts/0",
    }


@pytest.mark.parametrize(
    ("header", "received", "year"),
    [
        ("Dec 31 23:59:59", datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC), 2025),
        ("Jan  1 00:00:30", datetime(2025, 12, 31, 23, 59, tzinfo=UTC), 2026),
        ("Feb 29 12:00:00", datetime(2026, 3, 1, tzinfo=UTC), 2024),
        ("Mar 28 2019 12:00:00", NOW, 2019),
    ],
)
def test_the_year_is_the_one_nearest_to_the_time_of_receipt(
    header: str, received: datetime, year: int
) -> None:
    fields = read_syslog(f"<13>{header} host app: x", received)
    assert fields is not None
    assert fields["timestamp"].startswith(f"{year}-")


def test_a_header_without_a_host_has_no_host() -> None:
    fields = read_syslog("<34>Oct 11 22:14:15 su: failed", NOW)
    assert fields is not None
    assert (fields.get("hostname"), fields["program"]) == (None, "su")


@pytest.mark.parametrize(
    "text",
    [
        "just words",
        "2026-03-01T00:00:00Z INFO startup: done",
        "2026-03-01 12:00:00 something happened",
        "<999>Oct 11 22:14:15 host app: x",
        "[Wed Oct 11 14:32:52 2000] [error] [client 127.0.0.1] denied",
        '10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 23',
    ],
)
def test_other_logs_are_not_taken_for_syslog(text: str) -> None:
    assert read_syslog(text, NOW) is None


def test_a_priority_alone_makes_it_syslog() -> None:
    assert read_syslog("<13>no header at all", NOW) == {
        "facility": "user",
        "severity": "notice",
        "message": "no header at all",
    }


@given(st.text(max_size=200), st.sampled_from(["", "<34>", "<34>1 ", "<34>Oct 11 22:14:15 "]))
def test_any_text_is_fields_or_none(text: str, start: str) -> None:
    fields = read_syslog(start + text, NOW)
    assert fields is None or isinstance(fields["message"], str)


@pytest.mark.parametrize(
    ("text", "program", "pid", "message"),
    [
        ("Jun 30 08:14:02 sogod [4711]: Login from ada", "sogod", 4711, "Login from ada"),
        ("Jun 30 08:14:02 ftp-1 proftpd[4711] ftp-1 (x)", "proftpd", 4711, "ftp-1 (x)"),
        ("Jun 30 08:14:02 [sshd]: User root from h", "sshd", None, "User root from h"),
        ("Jun 30 08:14:02 h [sshd][4711] Bye", "sshd", 4711, "Bye"),
        ("Jun 30 08:14:02 h login(pam_unix) Bye", "login(pam_unix)", None, "Bye"),
        ("h-1 sshd[4711]: Bye", "sshd", 4711, "Bye"),
    ],
)
def test_tags_as_daemons_write_them(text: str, program: str, pid: int | None, message: str) -> None:
    fields = read_syslog(text, NOW)
    assert fields is not None
    assert (fields["program"], fields.get("pid"), fields["message"]) == (program, pid, message)


def test_a_tai64n_label_is_a_time() -> None:
    label = f"@{(1 << 62) + 10 + 1_774_684_800:016x}{500_000_000:08x}"
    assert read_syslog(f"{label} auth: pam_unix said no", NOW) == {
        "timestamp": "2026-03-28T08:00:00.500000Z",
        "program": "auth",
        "message": "pam_unix said no",
    }


def test_a_priority_in_words_behind_the_time() -> None:
    fields = read_syslog("Mar  1 08:14:02 <auth.info> h sshd[1]: Bye", NOW)
    assert fields is not None
    assert (fields["facility"], fields["severity"]) == ("auth", "info")


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T04:31:44Z [AUTH] WARN: Incorrect password of ada",
        "2026-03-01 04:31:44 host ERROR: no",
        "ERROR worker[7]: gone",
    ],
)
def test_levels_are_neither_hosts_nor_programs(text: str) -> None:
    assert read_syslog(text, NOW) is None


def test_what_is_relayed_without_a_tag() -> None:
    assert read_syslog("2026-03-01T04:31:44+01:00 fw-1.example.com 1,2026/03/01,x", NOW) == {
        "timestamp": "2026-03-01T04:31:44+01:00",
        "hostname": "fw-1.example.com",
        "message": "1,2026/03/01,x",
    }


def test_an_object_is_no_tag() -> None:
    text = '<14>Mar  4 09:00:00 web-1 {"user":"ola","n":1}'
    assert read_syslog(text, NOW) == {
        "facility": "user",
        "severity": "info",
        "timestamp": "2026-03-04T09:00:00Z",
        "hostname": "web-1",
        "message": '{"user":"ola","n":1}',
    }
