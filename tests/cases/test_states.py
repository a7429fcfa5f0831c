"""The states of a case, walked at random against a model of the rules."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tocsin.cases.casebook import CaseBook, CaseError
from tocsin.cases.states import ALLOWED_MOVES, needs_reason
from tocsin.model.case import CaseStatus, EntryKind
from tocsin.store.engines.state.sqlite_state import SqliteState


def test_every_state_is_reached_and_none_is_a_dead_end() -> None:
    assert set(ALLOWED_MOVES) == set(CaseStatus)
    assert all(ALLOWED_MOVES.values())
    reached, frontier = {CaseStatus.OPEN}, [CaseStatus.OPEN]
    while frontier:
        for after in ALLOWED_MOVES[frontier.pop()]:
            if after not in reached:
                reached.add(after)
                frontier.append(after)
    assert reached == set(CaseStatus)


def test_closing_and_stepping_back_owe_a_reason() -> None:
    owing = {
        (before, after)
        for before, moves in ALLOWED_MOVES.items()
        for after in moves
        if needs_reason(before, after)
    }
    assert {after for _, after in owing} == {CaseStatus.CLOSED, CaseStatus.INVESTIGATING}
    assert (CaseStatus.OPEN, CaseStatus.INVESTIGATING) not in owing
    assert (CaseStatus.CLOSED, CaseStatus.INVESTIGATING) in owing


class CaseWalk(RuleBasedStateMachine):
    """Random moves, notes and tasks; the book must agree with this model after each."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._state = SqliteState(Path(self._folder.name) / "state.db")
        self._book = CaseBook()
        self._now = datetime(2026, 8, 3, tzinfo=UTC)

    @initialize()
    def open(self) -> None:
        with self._state.begin() as tx:
            self._case = self._book.open(tx, title="Walk", alerts=[], by="ann", now=self._now)
        self._status, self._assignee, self._entries = CaseStatus.OPEN, "", 1

    @rule(after=st.sampled_from(CaseStatus), reason=st.sampled_from(["", " ", "because"]))
    def move(self, after: CaseStatus, reason: str) -> None:
        self._now += timedelta(seconds=1)
        allowed = after in ALLOWED_MOVES[self._status]
        owed = allowed and needs_reason(self._status, after) and not reason.strip()
        if not allowed or owed:
            with self._state.begin() as tx, pytest.raises(CaseError, match=r"reason|become"):
                self._move(tx, after, reason)
            return
        with self._state.begin() as tx:
            self._move(tx, after, reason)
        self._status = after
        self._entries += 1
        if after is CaseStatus.INVESTIGATING and not self._assignee:
            self._assignee = "bo"
            self._entries += 1

    def _move(self, tx, after: CaseStatus, reason: str) -> None:  # type: ignore[no-untyped-def]
        self._book.move(tx, self._case.id, status=after, by="bo", reason=reason, now=self._now)

    @rule()
    def note(self) -> None:
        with self._state.begin() as tx:
            self._book.note(tx, self._case.id, author="ann", text="seen", now=self._now)
        self._entries += 1

    @rule()
    def work_off_a_task(self) -> None:
        with self._state.begin() as tx:
            task = self._book.add_task(tx, self._case.id, title="Look", by="ann", now=self._now)
            self._book.finish_task(tx, task.id, by="bo", now=self._now)
        self._entries += 2

    @invariant()
    def agrees(self) -> None:
        with self._state.read() as tx:
            case = self._book.get(tx, self._case.id)
            entries = self._book.entries(tx, self._case.id)
        assert case is not None
        assert (case.status, case.assignee) == (self._status, self._assignee)
        assert (case.closed_at is not None) == (self._status is CaseStatus.CLOSED)
        assert len(entries) == self._entries
        assert entries[0].kind is EntryKind.OPENED
        assert [entry.time for entry in entries] == sorted(entry.time for entry in entries)

    def teardown(self) -> None:
        self._state.close()
        self._folder.cleanup()


CaseWalk.TestCase.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
TestCaseWalk = CaseWalk.TestCase
