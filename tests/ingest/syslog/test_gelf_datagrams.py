"""GELF by UDP: chunks in any order, packed or not, and nothing that came is dropped in silence."""

import gzip
import random
import zlib

import orjson
import pytest

from tocsin.ingest.limits import RECORD_BYTES
from tocsin.ingest.syslog.gelf_datagrams import LIFE_S, GelfDatagrams, Sender

MESSAGE = orjson.dumps(
    {"version": "1.1", "host": "web-1", "short_message": "started", "_container": "abc" * 900}
)
SENDER: Sender = ("192.0.2.7", 40001)
OTHER: Sender = ("192.0.2.8", 40001)


def chunks(message: bytes, size: int = 500, name: bytes = b"id-00001") -> list[bytes]:
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    return [
        b"\x1e\x0f" + name + bytes([number, len(parts)]) + part for number, part in enumerate(parts)
    ]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def taken(gelf: GelfDatagrams, *datagrams: bytes, sender: Sender = SENDER) -> list[object]:
    return [found for one in datagrams for found in gelf.take(one, sender)]


@pytest.mark.parametrize(
    "packed",
    [MESSAGE, gzip.compress(MESSAGE, mtime=0), zlib.compress(MESSAGE, 1)],
    ids=["plain", "gzip", "zlib"],
)
def test_chunks_in_any_order_and_twice(packed: bytes) -> None:
    gelf = GelfDatagrams()
    sent = chunks(packed, 40) if len(packed) < 500 else chunks(packed)
    for seed in range(20):
        mixed = random.Random(seed).sample(sent + sent[:-1], 2 * len(sent) - 1)  # noqa: S311
        last = max(mixed.index(one) for one in sent)
        assert taken(gelf, *mixed[: last + 1]) == [(MESSAGE, True, SENDER)]
        assert taken(gelf, *gelf_left(gelf)) == []


def gelf_left(gelf: GelfDatagrams) -> list[bytes]:
    """Empties what duplicates that came after the message left waiting."""
    return [b"" for _ in gelf.close()]


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bytes])
def test_one_datagram_needs_no_chunks(pack: object) -> None:
    assert callable(pack)
    assert taken(GelfDatagrams(), pack(MESSAGE)) == [(MESSAGE, True, SENDER)]


def test_two_senders_may_use_the_same_id() -> None:
    gelf = GelfDatagrams()
    first, second = chunks(MESSAGE, 2000), chunks(MESSAGE.swapcase(), 2000)
    assert taken(gelf, first[0]) == taken(gelf, second[0], sender=OTHER) == []
    assert taken(gelf, first[1]) == [(MESSAGE, True, SENDER)]
    assert taken(gelf, second[1], sender=OTHER) == [(MESSAGE.swapcase(), True, OTHER)]


def test_what_never_becomes_whole_is_kept_in_pieces() -> None:
    clock = Clock()
    gelf = GelfDatagrams(clock=clock)
    sent = chunks(MESSAGE)
    assert taken(gelf, *sent[2:]) == []
    clock.now += LIFE_S / 2
    assert list(gelf.expired()) == []
    assert len(gelf) == 1
    clock.now += LIFE_S / 2
    assert list(gelf.expired()) == [(one, False, SENDER) for one in sent[2:]]
    assert len(gelf) == 0
    assert taken(gelf, *sent) == [(MESSAGE, True, SENDER)]


def test_waiting_chunks_are_bounded() -> None:
    gelf = GelfDatagrams(most_bytes=10_000)
    given_up = []
    for number in range(100):
        given_up += taken(gelf, *chunks(MESSAGE, name=b"%08d" % number)[:2])
    assert len(gelf) <= 10
    assert len(given_up) == 2 * (100 - len(gelf))


@pytest.mark.parametrize(
    "bad",
    [
        b"\x1e\x0f",
        b"\x1e\x0f" + b"12345678" + bytes([0, 1]),
        b"\x1e\x0f" + b"12345678" + bytes([3, 3]) + b"x",
        b"\x1e\x0f" + b"12345678" + bytes([0, 0]) + b"x",
        b"\x1e\x0f" + b"12345678" + bytes([0, 129]) + b"x",
        gzip.compress(MESSAGE, mtime=0)[:-20],
        gzip.compress(b"\0" * (RECORD_BYTES + 1), mtime=0),
        b"\x1f\x8bnot gzip at all \xff",
    ],
    ids=["no id", "nothing in it", "beyond", "of none", "too many", "cut off", "bomb", "no gzip"],
)
def test_what_can_not_be_opened_is_kept(bad: bytes) -> None:
    assert taken(GelfDatagrams(), bad) == [(bad, False, SENDER)]


def test_another_number_of_chunks_under_the_same_id_is_not_mixed_in() -> None:
    gelf = GelfDatagrams()
    first, other = chunks(MESSAGE, 2000), chunks(MESSAGE, 1000)
    assert taken(gelf, first[0], other[1]) == [(other[1], False, SENDER)]
    assert taken(gelf, first[1]) == [(MESSAGE, True, SENDER)]


@pytest.mark.parametrize("text", [b"x^2 is not packed", b"x\x01", b"xterm started", b"x", b""])
def test_text_that_looks_packed_stays_text(text: bytes) -> None:
    assert taken(GelfDatagrams(), text) == [(text, True, SENDER)]
