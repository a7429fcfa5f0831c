"""Reading lines of text columnwise gives exactly what reading them one by one gives."""

import json
import lzma
import tarfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.connectors.both_ways import RECEIVED, SPLIT, compare, compare_records, decoded
from tocsin.app.benches.bench_text import WRITERS, text_lines
from tocsin.connectors.catalog import sample_folders
from tocsin.ingest.syslog.syslog_escape import joined
from tocsin.model.record import Framing

BOTH = (Framing.LINES, Framing.SYSLOG)
PRIORITIES = st.sampled_from(
    ["", "<86>", "<0>", "<191>", "<192>", "<007>", "<13> ", "<>", "<1234>"]
)
STAMPS = st.sampled_from(
    [
        *("Jun 30 08:01:12 ", "Jun  3 08:01:12 ", "Jun 3 08:01:12: ", "Jun 30 2026 08:01:12 "),
        *("*Jun 30 08:01:12.123 ", "Jun 31 08:01:12 ", "Foo 30 08:01:12 ", "Feb 29 23:59:60 "),
        *("2026-06-30T08:02:15.004Z ", "2026-06-30 08:02:15,1 ", "2026-06-30T08:02:15+02:00 "),
        *(
            "\uff12\uff10\uff12\uff16-06-30 08:02:15 ",
            "2\uff1026-06-30 08:02:15 ",
            "2026-06-30T08:02:15\t",
        ),
        *("2026-06-30T08:02:15: ", "1 2026-06-30T08:02:15Z ", "1 - ", "", "Jun 30 08:01:12"),
        *("@4000000066a1b2c30a1b2c3d ", "2026-06-30T08:02:15Z: ", "Dec 31 23:59:59: "),
    ]
)
HOSTS = st.sampled_from(
    [
        *("bastion-01 ", "10.20.30.5 ", "web.example.org ", "h  ", "INFO ", "[main] ", "a/b "),
        *("", "bastion-01 bastion-01 ", "fe80::1 ", "x" * 256 + " ", "fw_1 : ", "kern= "),
        *("<auth.info> host ", "sudo(pam_unix) ", "hö ", "h\u00a0 ", "wörk prog[12]: ", "h\t"),
    ]
)
TAGS = st.sampled_from(
    [
        *("sshd[24310]: ", "sshd: ", "sshd:", "sshd[007]: ", "sshd[0]:  ", "kernel: ", "INFO: "),
        *("%ASA-6-302013: ", "postfix/smtpd[77]: ", "CEF:", "LEEF: ", "sshd[x-1]: ", "sshd [12]: "),
        *("[sshd][12]: ", "sshd[12] ", "", "su(pam_unix)[9]: ", "a,b: ", "a,b ", "1st: ", "CRON"),
        *(
            "sshd[9999999999999999999]: ",
            "x" * 64 + ": ",
            "x" * 65 + ": ",
            "appname 77 - - ",
            "- - - ",
        ),
    ]
)
OBJECTS = [
    *('{"a": "é", "b": [1, 2], "c": null}', '@cee: {"a": 1, "b": "x"}', '{"a": 1, "a": 2}'),
    *(
        '{"syslog": {"x": 1}, "t": true}',
        '{"x": "a\\"b\\\\c\\n"}',
        '{"a": 1',
        '{"a": 1}} x',
        "\t{}",
    ),
    *('{"Event": {"System": {"EventID": 1}, "EventData": {"a": "b"}}}', "@cee:\u00a0{}"),
    '{"version": "1.1", "host": "h", "short_message": "audit(1.5:2) é", "_user": "ola", "level": 5}',
    '{"__REALTIME_TIMESTAMP": "1", "MESSAGE": "m", "PRIORITY": "6", "_PID": "7"}',
]
FAR = [
    *(
        "naïve=1 a=2 b=3",
        "\uff41=1 b=2 c=3",
        "a=ü b=2 c=3",
        "\u00a0x",
        "\u2028{}",
        "\ufeffx",
        "\ufeff{}",
    ),
    *('Gerät "ü" öffnet', "tab\tbetween words", "a=1\tb=2\tc=3", "x\x0bé", "x\x7f", "日本: 語"),
    *("LEEF:1.0|V|P|1|2|a=b\tc=d", "\uff11\uff12.3.4.5 - - x", "1.2.3.4 - - é", "prög[12]: y"),
]
UNTAGGED = [
    *(": %ASA-6-302013: Built", "1,2026/06/30 10:18:05,0018,SYSTEM", "firewall,info accept: in:x"),
    *(
        "bastion-01 x",
        "[12]: x",
        "[sshd] x",
        "[4711] x",
        "[Note] x",
        "word [12] x",
        "su(pam_unix) x",
    ),
    *("4,5 x", "{x", "WARN x: y", "smtp: bo", "a=1 words b=2 c=3", 'a=1 b="c d" words e="f"'),
]
EVENTS = [
    "CEF:0|Check Point|VPN-1 & FireWall-1|R81|Log|https|Unknown|act=Accept msg=two words  rt=17 src=1.2.3.4",
    "CEF:1|V|P||x||7| act=  b.c=d=e f=",
    "CEF:0|V|P|1|2|n|3|act=Drop cs1Label=Rule Name cs1=x y z request=http://h/a?b=c&d=e",
    "CEF:0|V|P|1|2|n|3|a=b a=c", "CEF:0|V|P|1|2|n|3|name=x", "CEF:0|V|P|1|2|n|3|words a=b",
    "CEF: 0|V|P|1|2|n|3|a=b", "CEF:0|V|P|1|2|n|3|", "CEF:0|V|P|1|2|n|3", "CEF:0|V|P|1|2|n",
    "CEF:0|V|P|1|2|n|3|a=b | c=d", "CEF:0|V|P|1|2|n|3|a[0]=b c:d=e 1x=2", "CEF:0|V|P|1|2|n|3|a=audit(1.5:2) b=c",
    "CEF:0|V|P|1|2|n|3|a=b =c d= =e", "CEF:0|V\\|W|P|1|2|n|3|a=b\\=c", "CEF:0|V|P|1|2|n|3|a=\u00e9", "CEF:9999|V|P|1|2|n|3|a=b",
]  # fmt: skip
AUDITED = "msg=audit(1782806480.001:9080): "
AUDITS = [
    f'type=SYSCALL {AUDITED}arch=c000003e syscall=59 exit=-13 a0=55 tty=(none) comm="ls" key=(null)',
    f'type=1309 {AUDITED}argc=3 a0="ls" a1=2F746D702F6120C3A9 a2_len=12',
    f"type=PROCTITLE {AUDITED}proctitle=6C73002D6C",
    f'type=CWD {AUDITED}cwd="/root"',
    f'node=web-03 type=PATH {AUDITED}item=0 name="AB" inode=1 comm=AB cgroup=A vm=ABC',
    f"node=web-03 type=SOCKADDR {AUDITED}saddr=02000035C0A800010000000000000000",
    f"type=USER_LOGIN {AUDITED}pid=1 uid=0 msg='op=login acct=\"root\" res=failed'",
    f"type=USER_START {AUDITED}pid=1 msg='op=PAM:x grantors=pam_unix,pam_y, acct=726F res=ok'",
    f"type=X {AUDITED}pid=1 msg='pid=2 c=d'", f"type=X {AUDITED}a=1 msg='b=c' d=e'", f"type=X {AUDITED}msg='a=b'",
    f"type=X {AUDITED}xmsg='a=b'", f"type=X {AUDITED}a=b msg='op=adding user id=1'", f"type=X {AUDITED}a=b msg='c=\"d'e\"'",
    f'type=AVC {AUDITED}avc:  denied  {{ read }} for  pid=4400 comm="httpd"',
    f"type=X {AUDITED}a= b=c", f"type=X {AUDITED}a=1 a=2", f"type=X {AUDITED}a=1, b=(c, d=e)",
    f"type=X {AUDITED}a/b=1 c@d=2 type=Y", f'type=X {AUDITED}a="" b=x"y"', f"type=X {AUDITED}",
    f"type=X {AUDITED}key=a=b  c=d ", "type=X msg=audit(1782806480:007): a=b", "type=X msg=audit(0.5:1): a=b",
]  # fmt: skip
MESSAGES = st.sampled_from(
    [
        *AUDITS,
        *EVENTS,
        *UNTAGGED,
        *OBJECTS,
        *FAR,
        *(
            "Failed password for root from 203.0.113.9 port 51022 ssh2",
            "",
            " ",
            "x",
            "-",
            "  two  ",
        ),
        *(
            "audit(1.5:2): a=b",
            "type=SYSCALL msg=audit(1782815.123:77): arch=c000003e",
            "{}",
            "@cee:{}",
        ),
        *(
            "CEF:0|V|P|1|2|n|3|a=b",
            "LEEF:1.0|V|P|1|2|a=b",
            'a=b c="d e" f=1',
            "a=b",
            'a="b\\"c" d=e f=g',
        ),
        *(
            "a=b c=d e=f,",
            "a=b a=c d=e",
            'a= b="" c=d e=f',
            "a=b  c=d e=f ",
            'a="b"x c=d e=f',
            "é",
            "a\tb",
        ),
        *(
            "C:\\new",
            "\\\\",
            "a\x00b",
            '1.2.3.4 - - [30/Jun/2026:10:40:01 +0200] "GET / HTTP/1.1" 200 5',
        ),
        *("IN=eth0 OUT= SRC=1.2.3.4 DST=5.6.7.8 LEN=40 PROTO=TCP SPT=1 DPT=2 SYN", "a=b=c d=e f=g"),
        *(
            'date=2026-06-30 logid="1" type="traffic" subtype="forward" vd="root" msg="a, b" x-y.z/w=1'
        ),
    ]
)
LINES = st.builds("{}{}{}{}{}".format, PRIORITIES, STAMPS, HOSTS, TAGS, MESSAGES)
ENDS = st.sampled_from(["\n", "\n", "\r\n", "\n\n", "\r\r\n"])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(LINES, ENDS), min_size=1, max_size=12),
    st.integers(1, 3),
    st.sampled_from(BOTH),
)
def test_made_up_lines(lines: list[tuple[str, str]], times: int, framing: Framing) -> None:
    payload = "".join(line + end for line, end in lines * times).encode()
    compare_records(payload, framing)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(sorted(WRITERS)),
    st.lists(st.tuples(st.integers(0, 19), st.integers(0, 90), st.binary(max_size=3)), max_size=6),
    st.sampled_from(BOTH),
)
def test_lines_with_noise(kind: str, cuts: list[tuple[int, int, bytes]], framing: Framing) -> None:
    lines = [line.encode() for line in text_lines(kind, 20, until=RECEIVED)]
    for row, at, noise in cuts:
        lines[row] = (
            lines[row][:at] + noise.replace(b"\n", b"") + lines[row][at + len(noise) // 2 :]
        )
    compare_records(b"\n".join(lines), framing)


WORDS = st.sampled_from(
    [
        "-",
        "-",
        "a",
        "ä",
        "a\u00a0b",
        "a\\b",
        "77",
        "007",
        "CEF",
        "9" * 19,
        "x" * 33,
        "x" * 129,
        "h.example",
    ]
)
DATA = st.sampled_from(
    [
        "- \ufeffx",
        "- é",
        '- {"a": 1}',
        '-  {"a": "b"}',
        "-\t",
        "-",
        "-",
        "-x",
        "- ",
        "-  y",
        "- x",
        "- a=b c=d e=f",
        '[a@1 b="c"] m',
        "",
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(PRIORITIES, st.lists(WORDS, min_size=4, max_size=5), DATA), max_size=6),
    st.sampled_from(BOTH),
)
def test_made_up_structured_lines(
    lines: list[tuple[str, list[str], str]], framing: Framing
) -> None:
    made = [f"{head}1 {' '.join(words)} {data}" for head, words, data in lines]
    compare_records("\n".join([*made, *made, "x"]).encode(), framing)


def test_structured_lines_become_columns() -> None:
    line = "<38>1 2026-06-30T08:02:15.004Z bastion-01 sshd 24318 - - Failed password for root"
    assert not decoded(f"{line}\n{line}\n".encode(), Framing.SYSLOG, SPLIT).shaped.loose  # type: ignore[union-attr]


@pytest.mark.parametrize("framing", BOTH)
def test_objects_in_messages_become_columns(framing: Framing) -> None:
    objects = (
        {"path": "C:\\a", "n": number, "who": "Zoë", "in": {"x": True}} for number in range(9)
    )
    heads = ("<13>Jun 30 08:01:12 h app[7]: ", "<13>1 2026-06-30T08:02:15Z h app - - - @cee: ", "")
    lines = [head + json.dumps(one) for one in objects for head in heads]
    payload = "\n".join(lines).encode()
    if framing is Framing.SYSLOG:
        payload = joined([line.encode() for line in lines])
    compare_records(payload, framing)
    assert not decoded(payload, framing, SPLIT).shaped.loose  # type: ignore[union-attr]


def test_what_was_escaped_on_its_way_comes_back() -> None:
    """Paths become columns; what was of several lines stays with the reader of single ones."""
    paths = [f"<13>Jun 30 08:01:12 h app[7]: C:\\Temp\\new\\{at}.txt".encode() for at in range(9)]
    several = b"<13>Jun 30 08:01:12 h app[7]: one\ntwo\\\nthree"
    for odd in (several, several + b"\0\1"):
        compare_records(joined([*paths, odd, *paths]), Framing.SYSLOG)
    found = decoded(joined([*paths, several, *paths]), Framing.SYSLOG, SPLIT)
    assert list(found.shaped.loose) == [9]  # type: ignore[union-attr]
    assert list(found.lines) == [*paths, several, *paths]


def test_letters_beyond_ascii_and_tabs_become_columns() -> None:
    lines = [
        "<13>Jun 30 08:01:12 h app[7]: Zoë öffnet\tdie Tür",
        "Zoë öffnet die Tür",
        "1.2 Tür",
    ] * 9
    compare_records("\n".join(lines).encode(), Framing.LINES)
    assert not decoded("\n".join(lines).encode(), Framing.LINES, SPLIT).shaped.loose  # type: ignore[union-attr]


NAMES = st.sampled_from(["a", "b", "logid", "x-y.z/w", "@t", "1a", "", "syslog", "a b", "q=r"])
VALUES = st.sampled_from(
    ["1", '"two words"', '""', "", "b,", '"c,"', 'd"e', '"f"g', "h=i", '"', "\\"]
)
PAIRS = st.builds("{}={}".format, NAMES, VALUES)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "<189>", "<30>Jun 30 16:05:00 app-9 orders[77]: ", "<192>"]),
            st.lists(PAIRS, min_size=1, max_size=6),
            st.sampled_from([" ", " ", " ", "  ", "\t"]),
            st.sampled_from(["", "", " ", " and words", "\r"]),
        ),
        min_size=1,
        max_size=6,
    ),
    st.integers(2, 4),
)
def test_made_up_pairs(lines: list[tuple[str, list[str], str, str]], times: int) -> None:
    payload = "\n".join(head + between.join(pairs) + end for head, pairs, between, end in lines)
    compare_records("\n".join([payload] * times).encode(), Framing.LINES)


@pytest.mark.parametrize(
    "line",
    [
        "<166>Jun 30 2026 10:15:01 asa-1 : %ASA-6-302013: Built outbound TCP connection 1",
        "<14>Jun 30 10:18:05 pa-edge 1,2026/06/30 10:18:05,001801000001,SYSTEM,auth,2816",
        "<167>Jun 30 14:10:00 ldap-1 slapd[800]: conn=1 fd=12 ACCEPT from IP=192.0.2.85:50100",
        "2026-06-30 15:11:01 192.0.2.105 GET /default.aspx - 80 - 198.51.100.107 Mozilla/5.0 - 304",
        "2026-06-30 08:14:03 WARNING (MainThread) [http.ban] Login attempt from 198.51.100.14",
        "2026-06-30 08:14:03   smtp: bo [198.51.100.72] authentication failure",
        "2026-06-30 08:14:02.2|Warn|Auth|Auth-Failure ip 198.51.100.45",
        "2026-06-30 09:22:18.536 UTC [147] ada@orders FATAL:  password authentication failed",
        "2026-06-30T08:14:02.098Z [AUTH] WARN: Incorrect username or password for user ada",
        "Tue Jun 30 08:14:02 2026 [pid 27202] [ada] OK LOGIN: Client",
    ],
)
def test_lines_without_a_tag_become_columns(line: str) -> None:
    payload = f"{line}\n{line}\n".encode()
    compare_records(payload, Framing.LINES)
    assert not decoded(payload, Framing.LINES, SPLIT).shaped.loose  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "head", ["", "<13>Jun 30 08:01:12 fw-1 ", "<13>1 2026-06-30T08:02:15Z h - - - - "]
)
def test_events_in_cef_become_columns(head: str) -> None:
    lines = [head + line for line in EVENTS[:3]] * 3
    payload = "\n".join(lines).encode()
    compare_records(payload, Framing.LINES)
    assert compare([payload]) == (9, 9)


@pytest.mark.parametrize("head", ["", "<13>Jun 30 08:01:12 web-1 audispd[7]: "])
def test_audit_records_become_columns(head: str) -> None:
    lines = [head + line for line in AUDITS[:5] + AUDITS[6:7]] * 2
    payload = "\n".join(lines).encode()
    compare_records(payload, Framing.LINES)
    assert compare([payload]) == (12, 12)


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_lines_of_a_sender_become_columns(kind: str) -> None:
    payload = "\n".join(text_lines(kind, 200, until=RECEIVED + timedelta(hours=1))).encode()
    assert not decoded(payload, Framing.LINES, SPLIT).shaped.loose  # type: ignore[union-attr]
    assert compare([payload]) == (200, 200)


@pytest.mark.parametrize("framing", BOTH)
def test_every_sample_line_of_every_connector(framing: Framing) -> None:
    for folder in sample_folders():
        for path in sorted(folder.iterdir()):
            if path.suffix in {".log", ".txt"}:
                compare_records(path.read_bytes() * 2, framing)


def test_a_payload_without_an_end_of_line() -> None:
    assert compare([b"Jun 30 08:01:12 h sshd[1]: x\r\nJun 30 08:01:13 h sshd[2]: y"])[1] == 2


@pytest.mark.slow
def test_recorded_lines(test_data: Path) -> None:
    for payload in recordings(test_data):
        compare_records(b"\n".join(payload.split(b"\n")[:500]), Framing.LINES)


def test_recorded_sign_ins_and_requests(test_data: Path) -> None:
    for path in sorted((test_data / "web-auth-logs").glob("*.xz")):
        lines = lzma.decompress(path.read_bytes()).split(b"\n")[:2_000]
        compared, by_columns = compare([b"\n".join(lines)])
        assert by_columns > compared // 2


def recordings(folder: Path) -> Iterator[bytes]:
    """Real logs of daemons, firewalls and web servers."""
    for name in ("fail2ban-auth-logs/logs", "crowdsec-tests/tests", "linux-audit/testdata"):
        with tarfile.open(folder / f"{name}.tar.xz") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                payload = content.read() if content else b""
                if payload.count(b"\n") > 3 and not payload.startswith(b"{"):
                    yield payload
