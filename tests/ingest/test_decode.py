"""Any bytes decode: each line that is not blank is a record or unreadable, never lost."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest.decode import decode
from tocsin.ingest.limits import RECORD_BYTES
from tocsin.ingest.syslog.syslog_escape import escape, joined, unescape, unescape_all
from tocsin.model.record import Decoded, Framing, RawBatch

NOW = datetime(2026, 3, 28, 9, 0, tzinfo=UTC)
LINES = st.lists(
    st.one_of(
        st.binary(max_size=60).map(lambda noise: noise.replace(b"\n", b" ")),
        st.sampled_from(
            [
                b'{"a":1}',
                b'{"a":1,"a":2}',
                b'{"Event":{"System":{"EventID":1}}}',
                b'{"Event":{"System":{"EventID":1},"EventData":{"Data":[{"x":{}}]}}}',
                b"<34>Oct 11 22:14:15 host app[1]: hello",
                b'<34>1 - - - - - [x y="1"] {"a":1}',
                b"type=EXECVE msg=audit(1.5:7): a0=6C73 a1",
                b"\xef\xbb\xbf{}",
                b"[]",
                b"   ",
                b"\x00",
                b"\r",
            ]
        ),
    ),
    max_size=8,
)


def read(payload: bytes, framing: Framing = Framing.LINES) -> Decoded:
    return decode(RawBatch("web", payload, NOW, framing, place="body", first_ordinal=100))


def one(payload: bytes, framing: Framing = Framing.LINES) -> dict[str, object]:
    (record,) = read(payload, framing).records
    return record


@given(LINES, st.sampled_from([Framing.LINES, Framing.SYSLOG, Framing.EVTX]))
def test_every_line_is_accounted_for(lines: list[bytes], framing: Framing) -> None:
    found = read(b"\n".join(lines), framing)
    if framing is Framing.SYSLOG:
        lines = [unescape(line) for line in lines]
    expected = sum(bool(line.strip()) for line in lines)
    assert len(found.records) + len(found.unreadable) == expected
    assert len(found.records) == len(found.lines) == len(found.ordinals)
    for line, ordinal in zip(found.lines, found.ordinals, strict=True):
        assert line == lines[ordinal].removesuffix(b"\r")
    for item in found.unreadable:
        assert item.payload == lines[item.ordinal - 100].removesuffix(b"\r")
        assert item.reason
    assert all(index < len(found.records) for index in found.keep_raw)


def test_formats_are_told_line_by_line() -> None:
    found = read(
        b'{"a":1}\n\n<13>Mar 1 00:00:00 h app: hi\r\ntype=LOGIN msg=audit(1.0:1): pid=2\nwords'
    )
    assert [sorted(record)[0] for record in found.records] == [
        "a",
        "facility",
        "audit_serial",
        "message",
    ]
    assert found.ordinals == [0, 2, 3, 4]


def test_broken_json_is_unreadable_with_its_line_in_the_file() -> None:
    (item,) = read(b'{"a":1}\n{"a":').unreadable
    assert (item.source, item.place, item.ordinal) == ("web", "body", 101)
    assert item.reason.startswith("not JSON: ")
    assert item.payload == b'{"a":'


def test_json_carried_by_syslog_is_the_record_and_the_header_goes_along() -> None:
    for message in (b'{"user":"ann"}', b'@cee: {"user":"ann"}'):
        record = one(b"<13>Mar  1 00:00:00 h app[3]: " + message, Framing.SYSLOG)
        assert record["user"] == "ann"
        assert record["syslog"] == {
            "facility": "user",
            "severity": "notice",
            "timestamp": "2026-03-01T00:00:00Z",
            "hostname": "h",
            "program": "app",
            "pid": 3,
        }


def test_broken_json_carried_by_syslog_is_still_a_message() -> None:
    assert one(b'<13>Mar  1 00:00:00 h app: {"user":')["message"] == '{"user":'


def test_an_audit_record_carried_by_syslog() -> None:
    record = one(b"<13>Mar  1 00:00:00 h audispd: type=CWD msg=audit(1.5:7): cwd=2F746D70")
    assert (record["type"], record["cwd"]) == ("CWD", "/tmp")  # noqa: S108 - a value, not a path
    assert record["syslog"]["hostname"] == "h"  # type: ignore[index]


def test_invalid_utf8_text_is_replaced_and_kept_raw() -> None:
    found = read(b"caf\xe9\nplain\n<13>na\xefve")
    assert found.records[0] == {"message": "caf\ufffd"}
    assert found.keep_raw == {0, 2}


def test_nul_bytes_are_kept() -> None:
    assert one(b"a\x00b") == {"message": "a\x00b"}
    assert one(b'\x00\x00{"a":1}') == {"a": 1}


def test_a_rendered_windows_event_is_flattened_in_any_stream() -> None:
    line = json.dumps({"Event": {"System": {"EventID": 4624}, "EventData": {"LogonType": 3}}})
    assert one(line.encode()) == {"EventID": 4624, "LogonType": 3}
    assert one(b'{"Event":"x","b":1}') == {"Event": "x", "b": 1}


def test_a_record_over_the_limit_is_unreadable_and_kept_whole() -> None:
    line = b'{"a":"' + b"x" * RECORD_BYTES + b'"}'
    found = read(b"before\n" + line + b"\nafter")
    assert [record["message"] for record in found.records] == ["before", "after"]
    (item,) = found.unreadable
    assert item.payload == line
    assert "over the 16,777,216 limit" in item.reason


def test_fragments_are_never_decoded() -> None:
    found = read(b'{"a":1}', Framing.FRAGMENT)
    assert not found.records
    assert found.unreadable[0].payload == b'{"a":1}'


@pytest.mark.parametrize("levels", [10_000])
def test_deep_json_in_a_batch_stops_nothing_else(levels: int) -> None:
    found = read(b'{"a":1}\n' + b'{"a":' * levels + b"1" + b"}" * levels + b'\n{"b":2}')
    assert found.records == [{"a": 1}, {"b": 2}]
    assert found.unreadable[0].reason == "JSON nested deeper than 100 levels"


@given(st.binary())
def test_syslog_escaping_loses_nothing(message: bytes) -> None:
    escaped = escape(message)
    assert b"\n" not in escaped
    assert unescape(escaped) == message


@given(st.lists(st.text("a\\\n\0\1", max_size=6).map(str.encode), max_size=4))
def test_messages_side_by_side_come_back_all_at_once(messages: list[bytes]) -> None:
    payload = joined(messages)
    assert payload.split(b"\n") == ([*map(escape, messages)] or [b""])
    lines, apart = unescape_all(payload)
    found = [apart.get(at, line) for at, line in enumerate(lines.split(b"\n"))]
    assert found == (messages or [b""])


def test_a_message_with_newlines_and_backslashes_comes_back_as_it_was() -> None:
    message = b"<13>line one\nC:\\new\\n done"
    found = read(escape(message) + b"\n" + escape(b"<13>two"), Framing.SYSLOG)
    assert found.lines == [message, b"<13>two"]
    assert found.records[0]["message"] == "line one\nC:\\new\\n done"
