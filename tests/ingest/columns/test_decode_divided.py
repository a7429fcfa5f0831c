"""Small batches that are read together say what each of them says by itself."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.app.benches.bench_text import text_lines
from tocsin.app.home.shipped import open_normalizer
from tocsin.ingest.decode import decode, decode_all, look_through
from tocsin.model.event import EventBatch
from tocsin.model.record import Decoded, Framing, Origin, RawBatch

NOW = datetime(2026, 3, 4, 9, tzinfo=UTC)
KINDS = ("sshd", "access", "asa", "iptables", "fortigate")
ODD = (
    *(
        b"",
        b" ",
        b"\r",
        b"{",
        b'{"a": 1}',
        b'{"a": 1, "a": 2}',
        b"<13>\xff bad",
        "<13>h\u00e9".encode(),
    ),
    *(b'<13>Mar  4 09:00:00 h app: {"x": 1}', b"<13>Mar  4 09:00:00 h app: a\\nb", b"plain"),
    b"type=SYSCALL msg=audit(1772614800.123:7): arch=c000003e syscall=59 success=yes exit=0 pid=1",
)


def batches(rng: Random, count: int) -> list[RawBatch]:
    lines = lines_of_each_kind()
    made = []
    for number in range(count):
        kind = rng.choice(KINDS)
        some = rng.sample(lines[kind], rng.randrange(40))
        for _ in range(rng.randrange(3)):
            some.insert(rng.randint(0, len(some)), rng.choice(ODD))
        moment = NOW + timedelta(seconds=rng.randrange(2), microseconds=rng.randrange(1_000_000))
        payload = b"\n".join(some) + rng.choice((b"", b"\n"))
        framing = rng.choice((Framing.SYSLOG, Framing.SYSLOG, Framing.LINES))
        made.append(RawBatch(f"s{number}", payload, moment, framing, f"tcp {number}", 10 * number))
    return made


@cache
def lines_of_each_kind() -> dict[str, list[bytes]]:
    return {kind: [one.encode() for one in text_lines(kind, 200, until=NOW)] for kind in KINDS}


SHAPES = (
    '{"Channel":"Security","EventID":%d,"Image":"C:\\\\Windows\\\\%s.exe","ok":true}',
    '{"host":"%d","message":"%s","level":3,"_user":"x","version":"1.1","short_message":"s"}',
    '{"a":%d,"in":{"b":"%s","c":[1,2]}}',
)


def object_batches(rng: Random, count: int) -> list[RawBatch]:
    """Small bodies of objects, of a few shapes and some with odd lines among them."""
    made = []
    for number in range(count):
        shapes = rng.sample(SHAPES, rng.randint(1, 2))
        some = [
            (rng.choice(shapes) % (line, rng.choice(("a", "é", 'q\\"', "")))).encode()
            for line in range(rng.randrange(200))
        ]
        for _ in range(rng.randrange(3)):
            some.insert(rng.randint(1, len(some) + 1), rng.choice(ODD))
        moment = NOW + timedelta(microseconds=rng.randrange(1_000_000))
        framing = rng.choice((Framing.LINES, Framing.LINES, Framing.LINES, Framing.HEC))
        if framing is Framing.HEC:
            some = [b'{"event":' + line + b"}" for line in some]
        payload = b"\n".join(some) + rng.choice((b"", b"\n"))
        made.append(RawBatch(f"s{number}", payload, moment, framing, f"http {number}", 10 * number))
    return made


@given(st.randoms(use_true_random=True))
@settings(max_examples=5, deadline=None)
def test_each_body_of_objects_says_what_it_says_by_itself(rng: Random) -> None:
    made = object_batches(rng, rng.randrange(12, 20))
    together, alone = decode_all(made), [decode(batch) for batch in made]
    assert [told(one) for one in together] == [told(one) for one in alone]
    assert [look_through(batch) for batch in made] == [
        (len(one.records), one.unreadable) for one in alone
    ]


def test_bodies_of_objects_are_read_as_columns_together() -> None:
    made = object_batches(Random(3), 40)  # noqa: S311 - repeatable, guards nothing
    assert sum(one.shaped is not None for one in decode_all(made)) > 30
    assert not any(decode(batch).shaped for batch in made)


@given(st.randoms(use_true_random=True))
@settings(max_examples=5, deadline=None)
def test_each_batch_says_what_it_says_by_itself(rng: Random) -> None:
    made = batches(rng, rng.randrange(30))
    together, alone = decode_all(made), [decode(batch) for batch in made]
    assert [told(one) for one in together] == [told(one) for one in alone]


def test_a_second_is_fine_enough_for_headers_without_a_year() -> None:
    """A day after the receipt is the year before: to the second, whatever its fraction is."""
    lines = [f"<13>Mar  5 09:00:0{second} h app[7]: told {second}".encode() for second in range(9)]
    payload = b"\n".join(lines * 80)
    made = [
        RawBatch("s", payload, NOW + timedelta(seconds=3, microseconds=part), Framing.SYSLOG)
        for part in (0, 1, 500_000, 999_999)
    ]
    together, alone = decode_all(made), [decode(batch) for batch in made]
    assert [told(one) for one in together] == [told(one) for one in alone]
    assert {str(one["timestamp"])[:4] for one in together[1].records} == {"2025", "2026"}


def test_some_are_read_as_columns() -> None:
    made = batches(Random(3), 40)  # noqa: S311 - repeatable, guards nothing
    assert sum(one.shaped is not None and bool(one.shaped.tables) for one in decode_all(made)) > 20
    assert not any(decode(batch).shaped for batch in made)


@pytest.mark.parametrize("make", [batches, object_batches])
def test_the_same_events_come_of_them(make: Callable[[Random, int], list[RawBatch]]) -> None:
    made = make(Random(5), 20)  # noqa: S311 - repeatable, guards nothing
    together, alone = (events(made, way) for way in (decode_all(made), list(map(decode, made))))
    assert together == alone


def told(decoded: Decoded) -> tuple[object, ...]:
    records, lines = list(decoded.records), list(decoded.lines)
    return records, lines, decoded.ordinals, decoded.unreadable, decoded.keep_raw


def events(made: list[RawBatch], decoded: list[Decoded]) -> dict[str, dict[str, str]]:
    parts = [
        (one, Origin(raw.source, raw.received_at, "spool-1", number))
        for number, (raw, one) in enumerate(zip(made, decoded, strict=True))
    ]
    found = open_normalizer().normalize_all(parts)
    return {one["id"]: one for batch in found for one in rows_of(batch)}


def rows_of(batch: EventBatch) -> list[dict[str, str]]:
    raw = batch.raw.to_pylist()
    native = batch.native_rows(range(len(batch)))
    return [
        {"id": identifier, "lane": batch.lane.id, "source": source, "all": repr((own, ocsf, kept))}
        for identifier, source, own, ocsf, kept in zip(
            *(batch.event_ids.to_pylist(), batch.sources.to_pylist()),
            *(map(sorted, map(dict.items, native)), map(present, batch.ocsf.to_pylist()), raw),
            strict=True,
        )
    ]


def present(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in sorted(row.items()) if value is not None}
