"""Ids that came before are known, over restarts and within bounds; nothing is known too early."""

import os
import threading
from pathlib import Path

from tocsin.ingest.sources.seen_ids import SeenIds, key_of


def keys(start: int, count: int) -> list[bytes]:
    return [key_of(b"source", b"%d" % number) for number in range(start, start + count)]


def keep(seen: SeenIds, wanted: list[bytes]) -> None:
    with seen.claiming() as claim:
        known = claim.known(wanted)
        claim.fresh = [key for key in wanted if key not in known]
        claim.keep()


def known(seen: SeenIds, wanted: list[bytes]) -> int:
    with seen.claiming() as claim:
        return len(claim.known(wanted))


def test_what_was_kept_is_known_after_a_restart(tmp_path: Path) -> None:
    seen = SeenIds(tmp_path, most=10_000, hours=1)
    keep(seen, keys(0, 3_000))
    assert known(seen, keys(0, 3_010)) == 3_000
    for _ in range(3):
        seen = SeenIds(tmp_path, most=10_000, hours=1)
        assert known(seen, keys(0, 3_010)) == 3_000
    keep(seen, keys(3_000, 10))
    assert known(SeenIds(tmp_path, most=10_000, hours=1), keys(0, 3_011)) == 3_010


def test_the_oldest_are_forgotten_first(tmp_path: Path) -> None:
    seen = SeenIds(tmp_path, most=1_000, hours=1)
    for start in range(0, 5_000, 10):
        keep(seen, keys(start, 10))
    assert known(seen, keys(4_800, 200)) == 200
    assert known(seen, keys(0, 1_000)) == 0
    written = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert 16 * 500 <= written <= 16 * 1_000


def test_what_is_older_than_asked_for_is_forgotten(tmp_path: Path) -> None:
    keep(SeenIds(tmp_path, most=1_000, hours=1), keys(0, 200))
    for path in tmp_path.iterdir():
        os.utime(path, (1, 1))
    assert known(SeenIds(tmp_path, most=1_000, hours=1), keys(0, 200)) == 0


def test_a_torn_end_costs_one_key_and_shifts_none(tmp_path: Path) -> None:
    keep(SeenIds(tmp_path, most=10_000, hours=1), keys(0, 10))
    (path,) = tmp_path.iterdir()
    os.truncate(path, path.stat().st_size - 3)
    seen = SeenIds(tmp_path, most=10_000, hours=1)
    assert known(seen, keys(0, 10)) == 9
    keep(seen, keys(10, 5))
    assert known(SeenIds(tmp_path, most=10_000, hours=1), keys(10, 5)) == 5


def test_what_did_not_become_durable_is_not_known(tmp_path: Path) -> None:
    seen = SeenIds(tmp_path, most=1_000, hours=1)
    with seen.claiming() as claim:
        claim.fresh = keys(0, 5)
        assert claim.known(claim.fresh) == set()
    assert known(seen, keys(0, 5)) == 0


def test_the_same_id_at_the_same_time_waits_for_what_becomes_of_the_first(tmp_path: Path) -> None:
    seen = SeenIds(tmp_path, most=1_000, hours=1)
    told: list[int] = []
    with seen.claiming() as first:
        first.fresh = keys(0, 1)
        assert first.known(first.fresh) == set()
        second = threading.Thread(target=lambda: told.append(known(seen, keys(0, 2))))
        second.start()
        assert known(seen, keys(5, 1)) == 0
        assert told == []
        first.keep()
    second.join(60)
    assert told == [1]


def test_parts_of_a_key_are_told_apart() -> None:
    assert key_of(b"ab", b"c") != key_of(b"a", b"bc")
