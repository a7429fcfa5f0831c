"""The audit chain shows what was edited, removed, reordered or cut off."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, update

from tocsin.app.access.access_tables import AUDIT_ENTRIES, AUDIT_HEAD
from tocsin.app.access.audit import FIRST_PREVIOUS, AuditError, AuditLog, AuditVerdict, digest_of
from tocsin.store.engines.state.sqlite_state import SqliteState

NOON = datetime(2026, 8, 3, 12, tzinfo=UTC)
LOG = AuditLog()
C = AUDIT_ENTRIES.c


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    store = SqliteState(tmp_path / "state.db")
    yield store
    store.close()


def write(state: SqliteState, count: int, actor: str = "ann") -> None:
    with state.begin() as tx:
        for number in range(count):
            LOG.append(
                tx,
                actor=actor,
                action="alert.close",
                subject=f"alert-{number}",
                detail="noise",
                now=NOON + timedelta(seconds=number),
            )


def verdict(state: SqliteState, anchor: str | None = None) -> AuditVerdict:
    with state.read() as tx:
        return LOG.verify(tx, anchor)


def test_an_untouched_chain_holds(state: SqliteState) -> None:
    assert verdict(state) == AuditVerdict(True, 0, "")
    write(state, 5)
    found = verdict(state)
    assert (found.ok, found.entries, found.broken_at) == (True, 5, None)


def test_each_entry_carries_the_digest_before_it(state: SqliteState) -> None:
    write(state, 3)
    with state.read() as tx:
        entries = LOG.page(tx).items[::-1]
        head = LOG.head(tx)
    assert [entry.previous for entry in entries] == [
        FIRST_PREVIOUS,
        entries[0].digest,
        entries[1].digest,
    ]
    assert head == entries[-1].digest
    assert [entry.number for entry in entries] == [1, 2, 3]
    assert entries[0].time == NOON


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("actor", "bob"),
        ("action", "alert.open"),
        ("subject", "alert-9"),
        ("detail", ""),
        ("outcome", "refused"),
        ("time", "2026-08-03T12:00:00.000000+00:00"),
        ("digest", "0" * 64),
    ],
)
def test_an_edited_entry_is_found(state: SqliteState, column: str, value: str) -> None:
    write(state, 5)
    with state.begin() as tx:
        tx.execute(update(AUDIT_ENTRIES).where(C.number == 3).values({column: value}))
    found = verdict(state)
    assert (found.ok, found.broken_at) == (False, 3)
    assert "changed" in found.reason


def test_an_edit_with_its_digest_made_anew_is_found_at_the_next(state: SqliteState) -> None:
    write(state, 5)
    with state.begin() as tx:
        row = tx.execute(select(AUDIT_ENTRIES).where(C.number == 3)).mappings().one()
        fields = {**row, "actor": "bob"}
        fields.pop("digest")
        values = {"actor": "bob", "digest": digest_of(fields)}
        tx.execute(update(AUDIT_ENTRIES).where(C.number == 3).values(values))
    assert verdict(state).broken_at == 4


def test_a_removed_entry_is_found(state: SqliteState) -> None:
    write(state, 5)
    with state.begin() as tx:
        tx.execute(delete(AUDIT_ENTRIES).where(C.number == 2))
    found = verdict(state)
    assert (found.ok, found.broken_at) == (False, 2)
    assert "missing" in found.reason


def test_a_removed_entry_with_the_rest_renumbered_is_found(state: SqliteState) -> None:
    write(state, 5)
    with state.begin() as tx:
        tx.execute(delete(AUDIT_ENTRIES).where(C.number == 2))
        for number in (3, 4, 5):
            tx.execute(update(AUDIT_ENTRIES).where(C.number == number).values(number=number - 1))
    assert verdict(state).broken_at == 2


def test_reordered_entries_are_found(state: SqliteState) -> None:
    write(state, 5)
    with state.begin() as tx:
        for before, after in ((2, 99), (3, 2), (99, 3)):
            tx.execute(update(AUDIT_ENTRIES).where(C.number == before).values(number=after))
    assert verdict(state).broken_at == 2


def test_a_cut_tail_is_found(state: SqliteState) -> None:
    write(state, 5)
    with state.begin() as tx:
        tx.execute(delete(AUDIT_ENTRIES).where(C.number > 3))
    found = verdict(state)
    assert (found.ok, found.entries, found.broken_at) == (False, 3, 4)
    assert "2 entries are missing" in found.reason


def test_a_removed_head_is_found(state: SqliteState) -> None:
    write(state, 2)
    with state.begin() as tx:
        tx.execute(delete(AUDIT_HEAD))
    assert "head is missing" in verdict(state).reason


def test_an_added_entry_behind_the_head_is_found(state: SqliteState) -> None:
    write(state, 2)
    with state.begin() as tx:
        row = tx.execute(select(AUDIT_ENTRIES).where(C.number == 2)).mappings().one()
        fields = {**row, "number": 3, "previous": row["digest"]}
        fields.pop("digest")
        tx.execute(insert(AUDIT_ENTRIES).values(**fields, digest=digest_of(fields)))
    assert "head does not belong" in verdict(state).reason


def test_a_chain_made_anew_is_found_by_its_anchor_only(state: SqliteState) -> None:
    write(state, 3)
    with state.read() as tx:
        anchor = LOG.head(tx)
    write(state, 2)
    assert verdict(state, anchor).ok
    with state.begin() as tx:
        tx.execute(delete(AUDIT_ENTRIES))
        tx.execute(delete(AUDIT_HEAD))
    write(state, 6, actor="bob")
    assert verdict(state).ok
    found = verdict(state, anchor)
    assert (found.ok, found.broken_at) == (False, None)
    assert "anchor" in found.reason


def test_pages_go_back_in_time(state: SqliteState) -> None:
    write(state, 7)
    numbers: list[int] = []
    cursor = None
    with state.read() as tx:
        while True:
            page = LOG.page(tx, cursor=cursor, size=3)
            numbers += [entry.number for entry in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        with pytest.raises(AuditError, match="cursor"):
            LOG.page(tx, cursor="x")
    assert (numbers, page.total) == ([7, 6, 5, 4, 3, 2, 1], 7)


def test_an_unreadable_time_is_an_error_in_words_not_a_crash(state: SqliteState) -> None:
    write(state, 1)
    with state.begin() as tx:
        tx.execute(update(AUDIT_ENTRIES).values(time="yesterday"))
    assert not verdict(state).ok
    with state.read() as tx, pytest.raises(AuditError, match="audit verify"):
        LOG.page(tx)


def test_a_rolled_back_deed_leaves_no_entry(state: SqliteState) -> None:
    write(state, 1)

    def fail_afterwards() -> None:
        with state.begin() as tx:
            LOG.append(tx, actor="a", action="b", subject="c", now=NOON)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_afterwards()
    write(state, 1)
    assert verdict(state) == AuditVerdict(True, 2, verdict(state).head)


def test_writers_at_the_same_time_make_one_chain(state: SqliteState) -> None:
    threads = [threading.Thread(target=write, args=(state, 1)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = verdict(state)
    assert (found.ok, found.entries) == (True, 12)


def test_a_time_of_another_zone_is_kept_in_utc(state: SqliteState) -> None:
    moment = NOON.astimezone(timezone(timedelta(hours=5)))
    with state.begin() as tx:
        entry = LOG.append(tx, actor="a", action="b", subject="c", now=moment)
        assert tx.execute(select(C.time)).scalar_one().endswith("+00:00")
    assert entry.time == NOON


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=5, max_size=5))
def test_any_text_is_chained(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    store = SqliteState(tmp_path_factory.mktemp("audit") / "state.db")
    odd = [*words[:4], words[4] + "\ud800\0"]
    try:
        with store.begin() as tx:
            LOG.append(
                tx,
                actor=odd[0],
                action=odd[1],
                subject=odd[2],
                detail=odd[3],
                outcome=odd[4],
                now=NOON,
            )
        with store.read() as tx:
            assert tx.execute(select(func.count()).select_from(AUDIT_ENTRIES)).scalar_one() == 1
            assert LOG.verify(tx).ok
    finally:
        store.close()
