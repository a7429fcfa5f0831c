"""Syslog over TCP: the framing is told from the stream and no message is lost in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest.syslog import syslog_framing
from tocsin.ingest.syslog.syslog_framing import StreamFraming

MESSAGES = st.lists(st.binary(min_size=1, max_size=40).map(lambda text: b"<13>" + text), max_size=8)


def take(content: bytes, step: int) -> list[tuple[bytes, bool]]:
    framing = StreamFraming()
    found: list[tuple[bytes, bool]] = []
    for at in range(0, len(content), step):
        found += framing.feed(content[at : at + step])
    return found + list(framing.finish())


def clean(messages: list[bytes]) -> list[tuple[bytes, bool]]:
    return [(message.strip(b"\r\n\0"), True) for message in messages]


@given(MESSAGES, st.integers(1, 30), st.sampled_from([b"", b"\n"]))
def test_counted_messages(messages: list[bytes], step: int, between: bytes) -> None:
    content = b"".join(b"%d %s%s" % (len(message), message, between) for message in messages)
    assert take(content, step) == clean(messages)


@given(MESSAGES, st.integers(1, 30), st.sampled_from([b"\n", b"\r\n"]))
def test_messages_ended_by_newlines(messages: list[bytes], step: int, end: bytes) -> None:
    messages = [message.replace(b"\n", b" ") for message in messages]
    assert take(end.join(messages), step) == clean(messages)
    assert take(end.join(messages) + end, step) == clean(messages)


@given(st.lists(st.sampled_from([b'{"a":1}', b'{\n"a": 1}', b"{}"])), st.integers(1, 9))
def test_objects_ended_by_nuls(objects: list[bytes], step: int) -> None:
    content = b"".join(one + b"\0" for one in [b'{"first":true}', *objects])
    assert take(content, step) == clean([b'{"first":true}', *objects])


@given(st.binary(max_size=200), st.integers(1, 30))
def test_any_bytes_are_taken_whole_in_the_end(noise: bytes, step: int) -> None:
    first_end = next((bytes([one]) for one in noise if one in b"\n\0"), b"\n")
    end = first_end if noise[:1] == b"{" else b"\n"
    lines = [line.strip(b"\r\n\0") for line in noise.split(end)]
    if not noise[:1].isdigit():
        assert take(noise, step) == [(line, True) for line in lines if line]
    else:
        take(noise, step)


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_a_counted_message_that_is_cut_off_is_kept(step: int) -> None:
    assert take(b"6 <13>ab100 <13>half", step) == [(b"<13>ab", True), (b"<13>half", True)]


def test_text_that_begins_with_a_number_is_no_count() -> None:
    assert take(b"2026-03-01T00:00:00Z host app: x\n12 monkeys\n", 5) == [
        (b"2026-03-01T00:00:00Z host app: x", True),
        (b"12 monkeys", True),
    ]


def test_a_stream_that_falls_out_of_step_goes_on_by_lines() -> None:
    assert take(b"6 <13>ab<14>no count\n<15>next\n", 7) == [
        (b"<13>ab", True),
        (b"<14>no count", True),
        (b"<15>next", True),
    ]


@pytest.mark.parametrize("step", [7, 64, 5000])
def test_a_message_too_large_to_hold_comes_in_pieces(
    monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr(syslog_framing, "RECORD_BYTES", 100)
    big = b"<13>" + b"x" * 400
    for content in (b"%d %s8 <13>next" % (len(big), big), big + b"\n<13>next\n"):
        found = take(content, step)
        assert found[-1] == (b"<13>next", True)
        assert b"".join(piece for piece, _ in found[:-1]) == big
        assert not any(whole for _, whole in found[:-1])
