"""HTTP bodies are cut like files, and nothing of them is dropped."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.decode import decode
from tocsin.model.record import Framing, RawBatch

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def decoded(batches: list[RawBatch]) -> tuple[int, int]:
    found = [decode(batch) for batch in batches]
    return sum(len(one.records) for one in found), sum(len(one.unreadable) for one in found)


@pytest.mark.parametrize(
    ("body", "counts"),
    [
        (b"", (0, 0)),
        (b'{"a":1}\n{"a":2}', (2, 0)),
        (b'[{"a":1},{"a":2}]', (2, 0)),
        (json.dumps({"Records": [{}, {"a": 1}, {}]}).encode(), (3, 0)),
        (b'{"a":1}\nwords\n{"a":', (2, 1)),
        (b'[{"a":1},{"a":', (1, 1)),
        (b"#separator \\x09\n#fields\tts\n#types\ttime\n1.0\nx\n", (1, 1)),
    ],
)
def test_bodies_of_every_shape(body: bytes, counts: tuple[int, int]) -> None:
    assert decoded(split_lines(body, "web", NOW)) == counts


def test_everything_said_about_the_sender_stays_with_the_batches() -> None:
    (batch,) = split_lines(b"x", "web", NOW, place="http ::1", tenant="north", connector="nginx")
    assert batch == RawBatch("web", b"x", NOW, place="http ::1", tenant="north", connector="nginx")


def test_a_batch_cut_elsewhere_keeps_its_framing_and_numbers() -> None:
    zeek = b"#separator \\x09\n#path\tconn\n#fields\tts\n#types\ttime\n1.0\nbad"
    (batch,) = split_lines(zeek, "z", NOW, framing=Framing.ZEEK_TSV, first_ordinal=105)
    assert batch.framing is Framing.ZEEK_TSV
    (item,) = decode(batch).unreadable
    assert item.ordinal == 110
    for framing in (Framing.EVTX, Framing.SYSLOG, Framing.FRAGMENT):
        (batch,) = split_lines(b'[{"x":1}]', "z", NOW, framing=framing, first_ordinal=7)
        assert (batch.framing, batch.first_ordinal, batch.payload) == (framing, 7, b'[{"x":1}]')


@given(st.binary(max_size=300))
def test_any_body_is_split_without_an_exception(body: bytes) -> None:
    decoded(split_lines(body, "web", NOW))
