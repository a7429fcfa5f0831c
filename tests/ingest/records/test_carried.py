"""CEF, LEEF, key=value, GELF and headed logs are decoded wherever they appear, and lose nothing."""

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.decode import decode
from tocsin.model.record import Decoded, Framing, RawBatch

RECEIVED = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
CEF = r"CEF:0|Example|Gate|1.2|42|Door \| open|7|src=192.0.2.1 msg=two words act=a\=b\\c"
LEEF1 = "LEEF:1.0|Example|Gate|1.2|login|src=192.0.2.1\tusrName=Ada L\tsev=5"
LEEF2 = "LEEF:2.0|Example|Gate|1.2|login|^|src=192.0.2.1^usrName=Ada L"
PAIRS = 'date=2026-06-30 time=10:00:00 devname="FGT 1" msg="he said \\"no\\"" user=""'


def read(payload: str | bytes, framing: Framing = Framing.LINES) -> Decoded:
    data = payload.encode() if isinstance(payload, str) else payload
    return decode(RawBatch("test", data, RECEIVED, framing))


def one(line: str) -> dict[str, object]:
    decoded = read(line)
    assert not decoded.unreadable
    (record,) = decoded.records
    return record


HEADERS = (
    "",
    "<134>",
    "<134>Jun 30 10:00:00 fw1 ",
    "<134>Jun 30 10:00:00 fw1 app[7]: ",
    "<134>1 2026-06-30T10:00:00Z fw1 app 7 - - ",
    "2026-06-30T10:00:00Z fw1 app: ",
)


@pytest.mark.parametrize("header", HEADERS)
def test_cef_behind_any_header(header: str) -> None:
    record = one(header + CEF)
    assert record.pop("syslog", {"x": 1}) != {}
    assert record == {
        "cefVersion": "0",
        "deviceVendor": "Example",
        "deviceProduct": "Gate",
        "deviceVersion": "1.2",
        "deviceEventClassId": "42",
        "name": "Door | open",
        "severity": "7",
        "src": "192.0.2.1",
        "msg": "two words",
        "act": "a=b\\c",
    }


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("line", [LEEF1, LEEF2])
def test_leef_behind_any_header(header: str, line: str) -> None:
    record = one(header + line)
    assert (record["deviceVendor"], record["eventID"]) == ("Example", "login")
    assert (record["src"], record["usrName"]) == ("192.0.2.1", "Ada L")


@pytest.mark.parametrize("header", HEADERS)
def test_pairs_behind_any_header(header: str) -> None:
    record = one(header + PAIRS)
    record.pop("syslog", None)
    assert record == {
        "date": "2026-06-30",
        "time": "10:00:00",
        "devname": "FGT 1",
        "msg": 'he said "no"',
    }


def test_the_header_of_a_carried_record_is_kept_beside_it() -> None:
    assert one("<134>Jun 30 10:00:00 fw1 " + CEF)["syslog"] == {
        "facility": "local0",
        "severity": "info",
        "timestamp": "2026-06-30T10:00:00Z",
        "hostname": "fw1",
    }


@pytest.mark.parametrize(
    "text",
    [
        "a=b c=d but then words",
        "only=two pairs=here",
        "user=ada, action=login, result=ok",
        'broken="no end c=d e=f',
        "CEF:0|too|few",
        "CEF:x|a|b|c|d|e|f|",
        "LEEF:1.0|a",
        "E=mc2 is no pair of anything",
    ],
)
def test_what_is_no_such_format_stays_a_message(text: str) -> None:
    assert one(text) == {"message": text}


@pytest.mark.parametrize(
    "line", ["CEF:0|a|b|c|d|e|1|stray words x=1", "CEF:0|a|b|c|d|e|1|x=1 x=2", "a=1 b=2 a=3 c=4"]
)
def test_bytes_are_kept_where_fields_do_not_tell_all(line: str) -> None:
    assert read(line).keep_raw == {0}


def test_gelf_fields_lose_their_underscore() -> None:
    message = {"version": "1.1", "host": "h", "short_message": "s", "_user": "ada", "_host": "x"}
    assert one(json.dumps(message)) == {
        "version": "1.1",
        "host": "h",
        "short_message": "s",
        "user": "ada",
        "_host": "x",
    }


def test_entries_of_the_journal_have_the_names_of_syslog() -> None:
    entry = {"__REALTIME_TIMESTAMP": "1", "MESSAGE": "m", "SYSLOG_IDENTIFIER": "su", "_PID": "7"}
    assert one(json.dumps(entry)) == {
        "__REALTIME_TIMESTAMP": "1",
        "message": "m",
        "program": "su",
        "pid": "7",
    }


IIS = b"""#Software: Microsoft Internet Information Services 10.0
#Version: 1.0
#Date: 2026-06-30 10:00:00
#Fields: date time c-ip cs-method cs-uri-stem sc-status
2026-06-30 10:00:01 192.0.2.1 GET / 200
2026-06-30 10:00:02 192.0.2.1 GET /a -
too few
#Fields: time cs-uri-stem
10:00:03 "/with ""quotes"" and blanks"
"""


def test_headed_logs_are_read_by_the_header_in_force() -> None:
    batches = split_lines(IIS, "iis", RECEIVED)
    assert {batch.framing for batch in batches} == {Framing.W3C}
    decoded = [decode(batch) for batch in batches]
    records = [record for part in decoded for record in part.records]
    assert records[1] == {
        "date": "2026-06-30",
        "time": "10:00:02",
        "c-ip": "192.0.2.1",
        "cs-method": "GET",
        "cs-uri-stem": "/a",
    }
    assert records[2] == {
        "time": "10:00:03",
        "cs-uri-stem": '/with "quotes" and blanks',
        "date": "2026-06-30",
    }
    (broken,) = [bad for part in decoded for bad in part.unreadable]
    assert broken.reason == "record has 2 fields, its header 6"


def test_flow_logs_name_their_fields_on_top() -> None:
    payload = b"version account-id srcaddr dstport\n2 123456789012 192.0.2.1 443\n"
    (batch,) = split_lines(payload, "flow", RECEIVED)
    assert decode(batch).records == [
        {"version": "2", "account-id": "123456789012", "srcaddr": "192.0.2.1", "dstport": "443"}
    ]


NAMES = st.from_regex(r"\A[a-z][A-Za-z0-9]{0,8}\Z")
WORDS = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Z"], exclude_characters=""), min_size=1
).filter(lambda text: text == text.strip())


def escaped_cef(text: str, mark: str) -> str:
    return text.replace("\\", "\\\\").replace(mark, "\\" + mark)


@given(st.lists(WORDS, min_size=6, max_size=6), st.dictionaries(NAMES, WORDS, max_size=6))
def test_cef_comes_back_as_it_was_written(header: list[str], pairs: dict[str, str]) -> None:
    head = "|".join(escaped_cef(part, "|") for part in header)
    line = f"CEF:1|{head}|" + " ".join(f"{k}={escaped_cef(v, '=')}" for k, v in pairs.items())
    decoded = read(line)
    assert list(decoded.records[0].values()) == ["1", *header, *pairs.values()]
    assert set(pairs) <= decoded.records[0].keys()
    assert not decoded.keep_raw


@given(st.dictionaries(NAMES, WORDS.filter(lambda text: "\t" not in text), min_size=2, max_size=6))
def test_leef_comes_back_as_it_was_written(pairs: dict[str, str]) -> None:
    line = "LEEF:1.0|v|p|1|e|" + "\t".join(f"{name}={value}" for name, value in pairs.items())
    record = read(line).records[0]
    assert {name: record[name] for name in pairs} == pairs


@given(st.dictionaries(NAMES, st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1), min_size=3, max_size=8))  # fmt: skip
def test_pairs_come_back_as_they_were_written(pairs: dict[str, str]) -> None:
    written = {k: v.replace("\\", "\\\\").replace('"', '\\"') for k, v in pairs.items()}
    assert one(" ".join(f'{name}="{value}"' for name, value in written.items())) == pairs


BEGINNINGS = st.sampled_from(
    [b"CEF:0|", b"CEF:0|a|b|c|d|e|5|", b"LEEF:2.0|a|b|c|d|0x09|", b"LEEF:1.0|a|b|c|d|", b"a=b c=d "]
)
PIECES = st.sampled_from([b"|", b"\\", b"=", b" x=", b'"', b"\t", b"CEF:", b"\\|", b"\xff", b"a"])


@given(BEGINNINGS, st.lists(st.one_of(PIECES, st.binary(max_size=4)), max_size=12))
@example(b"CEF:0|a|b|c|d|e|5|", [b"G", b"="])
@example(b"LEEF:1.0|a|b|c|d|", [b"G", b"=", b"\t", b"H", b"="])
def test_nothing_crashes_and_nothing_is_lost(beginning: bytes, pieces: list[bytes]) -> None:
    line = (beginning + b"".join(pieces)).replace(b"\n", b"").replace(b"\r", b"")
    decoded = read(line)
    assert len(decoded.records) + len(decoded.unreadable) == 1
    if decoded.records and not decoded.keep_raw:
        (record,) = decoded.records
        told = "".join(f"{name}{value}" for name, value in record.items())
        valued = re.sub(r"[^\s=|]+=(?=\s|$)", "", line.decode())  # what has no value is left out
        kept = {c for c in valued if c.isalnum()} - set("CEFLx09nr")
        assert kept <= set(told)


@given(st.binary(max_size=200))
def test_any_bytes_below_a_header_are_records_or_told(body: bytes) -> None:
    payload = b"#Fields: a b\n" + body
    decoded = read(payload, Framing.W3C)
    lines = [line for line in body.split(b"\n") if line.strip()]
    headers = [line for line in lines if line.startswith((b"#", b"version account-id "))]
    assert len(decoded.records) + len(decoded.unreadable) == len(lines) - len(headers)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (
            {"appname": "sshd", "procid": 12, "hostname": "web01", "host": "edge", "message": "x"},
            {"program": "sshd", "pid": 12, "hostname": "web01", "host": "edge", "message": "x"},
        ),
        (
            {
                "ident": "sshd",
                "pid": "12",
                "host": "web01",
                "time": "Mar  1 00:00:00",
                "message": "x",
            },
            {
                "program": "sshd",
                "pid": "12",
                "hostname": "web01",
                "timestamp": "Mar  1 00:00:00",
                "message": "x",
            },
        ),
        (
            {"ident": "a", "program": "b", "message": "x"},
            {"ident": "a", "program": "b", "message": "x"},
        ),
        ({"appname": "billing", "event": "paid"}, {"appname": "billing", "event": "paid"}),
    ],
    ids=["vector", "fluent-bit", "named twice", "no message"],
)
def test_syslog_that_a_shipper_took_apart_has_our_names(
    sent: dict[str, object], read: dict[str, object]
) -> None:
    assert one(json.dumps(sent)) == read
