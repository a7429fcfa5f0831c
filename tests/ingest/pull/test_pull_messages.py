"""Messages of queues become batches in their order; what holds many records is cut."""

import gzip
from datetime import UTC, datetime

import pytest

from tocsin.ingest.cutting.cutting import Cut, Maker
from tocsin.ingest.pull import pull_messages
from tocsin.ingest.pull.pull_messages import cut_messages
from tocsin.model.record import RawBatch

MAKER = Maker("kafka/edge", "there", datetime(2026, 11, 22, tzinfo=UTC), connector="zeek")


def _cut(*messages: bytes) -> list[Cut]:
    return list(cut_messages(((one, f"@{at}") for at, one in enumerate(messages)), MAKER))


def _told(cuts: list[Cut]) -> list[tuple[str, bytes]]:
    assert all(isinstance(one, RawBatch) for one in cuts)
    return [(one.place, one.payload) for one in cuts]


def test_lines_stay_together_and_keep_their_order_beside_what_is_cut() -> None:
    cuts = _cut(b'{"a":1}\n', b"plain", b'[{"b":1},{"b":2}]', gzip.compress(b"x\ny\n"), b"last")
    assert _told(cuts) == [
        ("@0", b'{"a":1}\nplain'),
        ("@2", b'{"b":1}\n{"b":2}'),
        ("@3", b"x\ny\n"),
        ("@4", b"last"),
    ]
    assert {one.connector for one in cuts if isinstance(one, RawBatch)} == {"zeek"}


def test_a_batch_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull_messages, "BATCH_RECORDS", 2)
    assert [one for _, one in _told(_cut(b"1", b"2", b"3"))] == [b"1\n2", b"3"]


def test_nothing_gives_nothing() -> None:
    assert _cut() == []


def test_a_message_that_unpacks_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull_messages, "_UNPACKED_LIMIT_BYTES", 1 << 20)
    cuts = _cut(gzip.compress(b"z" * 99 + b"\n"), gzip.compress((b"z" * 99 + b"\n") * 50_000))
    assert "limit" in next(one.reason for one in cuts if not isinstance(one, RawBatch))
