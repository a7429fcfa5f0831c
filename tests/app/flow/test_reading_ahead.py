"""What is read ahead of the flow, and what doors have decoded for it, changes nothing but time."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.app.flow.decoding_ahead import DecodingAhead
from tocsin.app.flow.reading_ahead import ReadingAhead
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.decode import decode
from tocsin.model.record import RawBatch

NOW = datetime(2026, 3, 4, 9, tzinfo=UTC)


def raw(text: str, ordinal: int = 1) -> RawBatch:
    return RawBatch("pc-1", text.encode(), NOW, first_ordinal=ordinal)


def test_the_same_bytes_are_decoded_once() -> None:
    decoding = DecodingAhead()
    first = decoding.decode(raw('{"a": 1}'))
    assert decoding.taken([raw('{"a": 1}')])[0] is first
    assert decoding.taken([raw('{"a": 1}')])[0] is not first  # it was forgotten


def test_other_bytes_of_the_same_size_are_never_taken_for_it() -> None:
    decoding = DecodingAhead()
    decoding.decode(raw('{"a": 1}'))
    assert list(decoding.taken([raw('{"a": 2}')])[0].records) == [{"a": 2}]


def test_what_waits_too_long_is_forgotten_and_decoded_anew() -> None:
    decoding = DecodingAhead(
        limit_bytes=2 * (8 + 100)
    )  # a record counts as a hundred bytes besides
    kept = [decoding.decode(raw('{"a": 1}', ordinal)) for ordinal in (1, 2, 3)]
    taken = decoding.taken([raw('{"a": 1}', 3), raw('{"a": 1}', 1)])
    assert taken[0] is kept[2]
    assert taken[1] is not kept[0]


def post(house: Tocsin, source: str, count: int) -> None:
    line = b'{"message": "hello", "timestamp": "2026-03-04T09:00:00Z"}\n'
    house.spool.append(split_lines(line * count, source, NOW))


@pytest.fixture
def house(tmp_path: Path) -> Tocsin:
    settings = load_settings(
        None,
        home=tmp_path,
        syslog__enabled=False,
        detect__shipped_pack=False,
        flow__batch_bytes=1024,
    )
    return open_tocsin(settings)


def test_many_turns_store_every_record_once(house: Tocsin) -> None:
    for number in range(12):
        post(house, f"s{number}", 20)
    house.flow.drain()
    assert house.flow.counts.events == 240
    with house.state.read() as tx:
        assert [ledger.stored for ledger in house.sources.sources(tx)] == [20] * 12
    house.close()


def test_a_turn_that_fails_is_done_again_with_what_was_read_ahead(
    house: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        post(house, f"s{number}", 20)
    publish = type(house.events).publish
    failures = iter([True, False, True])

    def sometimes(self: object, tx: object, segment: object) -> None:
        if next(failures, False):
            raise OSError("the disk is full")
        publish(self, tx, segment)  # type: ignore[arg-type]

    monkeypatch.setattr(type(house.events), "publish", sometimes)
    failed = 0
    while house.spool.backlog_bytes():
        try:
            house.flow.turn()
        except OSError:
            failed += 1
    assert failed == 2
    with house.state.read() as tx:
        assert [ledger.stored for ledger in house.sources.sources(tx)] == [20] * 6
    house.close()


def test_a_batch_nobody_can_normalize_is_set_aside_alone(
    house: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    for source in ("good", "bad", "fine"):
        post(house, source, 20)
    normalize = house.normalizer.normalize_all

    def stumbles(parts: list[tuple[object, object]]) -> object:
        if any(origin.source == "bad" for _, origin in parts):  # type: ignore[attr-defined]
            raise ValueError("no idea")
        return normalize(parts)  # type: ignore[arg-type]

    monkeypatch.setattr(house.normalizer, "normalize_all", stumbles)
    house.flow.drain()
    with house.state.read() as tx:
        stored = {ledger.name: ledger.stored for ledger in house.sources.sources(tx)}
    assert stored == {"good": 20, "bad": 0, "fine": 20}
    house.close()


def test_a_door_and_the_flow_decode_alike() -> None:
    batch = raw('{"a": 1}\nnot json\n{"a": "x"}\n')
    ahead = DecodingAhead()
    ahead.decode(batch)
    ours, plain = ahead.taken([replace(batch)])[0], decode(batch)
    assert list(ours.records) == list(plain.records)
    assert ours.unreadable == plain.unreadable


def test_only_what_fills_a_turn_is_read_ahead(house: Tocsin) -> None:
    ahead = ReadingAhead(house.spool, house.normalizer, house.decoding, batch_bytes=1024)
    post(house, "small", 2)
    ahead.begin(0)
    assert ahead.taken(0) is None
    post(house, "large", 20)
    ahead.begin(0)
    read = ahead.taken(0)
    assert read is not None
    assert [entry.batch.source for entry in read.entries] == ["small"]
    ahead.close()
    house.close()


class Pauses(threading.Event):
    """Says stop at the first rest, and how long that would have been."""

    def __init__(self) -> None:
        super().__init__()
        self.rests: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.rests.append(timeout)
        self.set()
        return True


def test_the_flow_rests_when_less_than_a_turn_waits(house: Tocsin) -> None:
    for source in ("first", "second", "third"):
        post(house, source, 20)
    stop = Pauses()
    house.flow.wake()
    house.flow.run(stop, cut_s=0.001)
    assert house.flow.counts.batches == 3
    assert stop.rests == [0.001]
    house.close()
