"""Cases are opened from alerts, worked on, and remember everything."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tocsin.cases.casebook import CaseBook, CaseError, UnknownCase
from tocsin.model.alert import Alert
from tocsin.model.case import Case, CaseStatus, EntryKind
from tocsin.model.severity import Level
from tocsin.store.engines.state.sqlite_state import SqliteState

Make = Callable[..., Alert]
BOOK = CaseBook()


@pytest.fixture
def case(state: SqliteState, alert: Make, noon: datetime) -> Case:
    with state.begin() as tx:
        return BOOK.open(
            tx,
            title=" Encoded commands ",
            alerts=[alert(0), alert(1, Level.HIGH)],
            by="ann",
            now=noon,
        )


def texts(state: SqliteState, case: Case) -> list[tuple[str, str, str]]:
    with state.read() as tx:
        return [(entry.kind.value, entry.author, entry.text) for entry in BOOK.entries(tx, case.id)]


def test_a_case_takes_level_alerts_and_entities_from_its_alerts(
    state: SqliteState, case: Case, noon: datetime
) -> None:
    assert (case.title, case.status, case.level) == (
        "Encoded commands",
        CaseStatus.OPEN,
        Level.HIGH,
    )
    assert case.alert_ids == ("alert-0", "alert-1")
    assert case.entity_keys == ("host:ws0", "host:ws1", "user:alice")
    assert (case.created_by, case.created_at, case.assignee) == ("ann", noon, "")
    with state.read() as tx:
        assert BOOK.get(tx, case.id) == case
    assert texts(state, case) == [
        ("opened", "ann", "Opened: Encoded commands"),
        ("alert", "ann", "Alert added: Encoded command on host:ws0, once"),
        ("alert", "ann", "Alert added: Encoded command on host:ws1, 2 times"),
    ]


def test_a_case_may_be_opened_without_alerts(state: SqliteState, noon: datetime) -> None:
    with state.begin() as tx:
        case = BOOK.open(tx, title="A call from outside", alerts=[], by="ann", now=noon)
    assert (case.level, case.alert_ids) == (Level.INFORMATIONAL, ())


def test_a_case_needs_a_title(state: SqliteState, noon: datetime) -> None:
    with state.begin() as tx, pytest.raises(CaseError, match="title"):
        BOOK.open(tx, title=" ", alerts=[], by="ann", now=noon)


def test_an_alert_is_in_one_case_only(
    state: SqliteState, case: Case, alert: Make, noon: datetime
) -> None:
    with state.begin() as tx, pytest.raises(CaseError, match=f"alert-0 already is in {case.id}"):
        BOOK.open(tx, title="Again", alerts=[alert(5), alert(0)], by="ann", now=noon)


def test_tenants_do_not_share_a_case(state: SqliteState, alert: Make, noon: datetime) -> None:
    with state.begin() as tx, pytest.raises(CaseError, match="several tenants"):
        BOOK.open(tx, title="x", alerts=[alert(0), alert(1, tenant="b")], by="a", now=noon)


def test_alerts_are_added_once_and_raise_the_level(
    state: SqliteState, case: Case, alert: Make, noon: datetime
) -> None:
    with state.begin() as tx:
        more = [alert(1), alert(2, Level.CRITICAL)]
        grown = BOOK.add_alerts(tx, case.id, more, by="bo", now=noon)
    assert grown.alert_ids == ("alert-0", "alert-1", "alert-2")
    assert grown.entity_keys == ("host:ws0", "host:ws1", "user:alice", "host:ws2")
    assert grown.level is Level.CRITICAL


def test_there_is_no_wall_at_a_thousand_alerts(
    state: SqliteState, case: Case, alert: Make, noon: datetime
) -> None:
    with state.begin() as tx:
        many = [alert(number) for number in range(2500)]
        grown = BOOK.add_alerts(tx, case.id, many, by="bo", now=noon)
    assert len(grown.alert_ids) == 2500
    assert texts(state, case)[-1] == ("alert", "bo", "2,495 more alerts added")


def test_a_closed_case_takes_notes_but_no_alerts(
    state: SqliteState, case: Case, alert: Make, noon: datetime
) -> None:
    with state.begin() as tx:
        BOOK.move(tx, case.id, status=CaseStatus.CLOSED, by="ann", reason="a test", now=noon)
        BOOK.note(tx, case.id, author="ann", text="Lesson: tell us before tests", now=noon)
        with pytest.raises(CaseError, match="re-open it"):
            BOOK.add_alerts(tx, case.id, [alert(9)], by="ann", now=noon)


def test_moves_are_written_down_with_their_reason(
    state: SqliteState, case: Case, noon: datetime
) -> None:
    later = noon + timedelta(hours=1)
    with state.begin() as tx:
        begun = BOOK.move(tx, case.id, status=CaseStatus.INVESTIGATING, by="ann", now=later)
        closed = BOOK.move(
            tx, case.id, status=CaseStatus.CLOSED, by="ann", reason="benign", now=later
        )
        again = BOOK.move(
            tx, case.id, status=CaseStatus.INVESTIGATING, by="bo", reason="came back", now=later
        )
    assert (begun.assignee, begun.updated_at) == ("ann", later)
    assert (closed.status, closed.closed_at) == (CaseStatus.CLOSED, later)
    assert (again.assignee, again.closed_at) == ("ann", None)
    assert texts(state, case)[3:] == [
        ("status", "ann", "open to investigating"),
        ("assignment", "ann", "Assigned to ann (before: no one)"),
        ("status", "ann", "investigating to closed: benign"),
        ("status", "bo", "closed to investigating: came back"),
    ]


def test_a_forbidden_move_names_the_allowed_ones(
    state: SqliteState, case: Case, noon: datetime
) -> None:
    with state.begin() as tx, pytest.raises(CaseError, match="become investigating or closed"):
        BOOK.move(tx, case.id, status=CaseStatus.CONTAINED, by="ann", now=noon)


def test_assignment_is_written_once(state: SqliteState, case: Case, noon: datetime) -> None:
    with state.begin() as tx:
        BOOK.assign(tx, case.id, assignee="bo", by="ann", now=noon)
        BOOK.assign(tx, case.id, assignee="bo", by="ann", now=noon)
        free = BOOK.assign(tx, case.id, assignee="", by="ann", now=noon)
    assert free.assignee == ""
    assert [text for _, _, text in texts(state, case)[3:]] == [
        "Assigned to bo (before: no one)",
        "Assigned to no one (before: bo)",
    ]


def test_tasks_are_set_and_finished_once(state: SqliteState, case: Case, noon: datetime) -> None:
    due = noon + timedelta(days=1)
    with state.begin() as tx:
        task = BOOK.add_task(
            tx, case.id, title="Reset the key", assignee="bo", due_at=due, by="ann", now=noon
        )
        done = BOOK.finish_task(tx, task.id, by="bo", now=due)
        with pytest.raises(CaseError, match="already done by bo"):
            BOOK.finish_task(tx, task.id, by="cy", now=due)
        assert BOOK.tasks(tx, case.id) == [done]
    assert (task.done_at, done.done_at, done.done_by) == (None, due, "bo")
    assert texts(state, case)[3:] == [
        ("task", "ann", f"Task set for bo, due {due:%Y-%m-%d %H:%M} UTC: Reset the key"),
        ("task", "bo", "Task done: Reset the key"),
    ]


def test_other_rooms_write_into_the_timeline(
    state: SqliteState, case: Case, noon: datetime
) -> None:
    with state.begin() as tx:
        entry = BOOK.record(
            tx,
            case.id,
            kind=EntryKind.LEASE,
            author="playbook",
            text="Blocked 203.0.113.9",
            reference="lease-1",
            now=noon,
        )
        assert BOOK.entries(tx, case.id)[-1] == entry
    assert (entry.kind, entry.reference) == (EntryKind.LEASE, "lease-1")


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_note_is_refused(
    state: SqliteState, case: Case, noon: datetime, text: str
) -> None:
    with state.begin() as tx, pytest.raises(CaseError, match="needs a text"):
        BOOK.note(tx, case.id, author="ann", text=text, now=noon)


def test_unknown_cases_and_tasks_are_named(state: SqliteState, noon: datetime) -> None:
    with state.begin() as tx:
        assert BOOK.get(tx, "case-x") is None
        with pytest.raises(UnknownCase, match="'case-x'"):
            BOOK.note(tx, "case-x", author="a", text="t", now=noon)
        with pytest.raises(UnknownCase, match="'task-x'"):
            BOOK.finish_task(tx, "task-x", by="a", now=noon)


def test_pages_show_what_moved_last_first(state: SqliteState, alert: Make, noon: datetime) -> None:
    with state.begin() as tx:
        cases = [
            BOOK.open(
                tx,
                title=f"Case {number}",
                alerts=[alert(number)],
                by="ann",
                now=noon + timedelta(seconds=number // 2),
            )
            for number in range(7)
        ]
        BOOK.note(tx, cases[0].id, author="ann", text="!", now=noon + timedelta(hours=1))
        BOOK.assign(tx, cases[1].id, assignee="bo", by="ann", now=noon + timedelta(minutes=1))
        seen: list[str] = []
        cursor = None
        while True:
            page = BOOK.page(tx, cursor=cursor, size=2)
            assert page.total == 7
            seen += [case.title for case in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen[:2] == ["Case 0", "Case 1"]
        assert sorted(seen) == [f"Case {number}" for number in range(7)]
        assert BOOK.page(tx, assignee="bo").items[0].title == "Case 1"
        assert BOOK.page(tx, status=CaseStatus.CLOSED).total == 0
        assert BOOK.page(tx, entity_key="host:ws3").items[0].title == "Case 3"
        assert BOOK.page(tx, entity_key="user:alice").total == 7
        with pytest.raises(CaseError, match="cursor"):
            BOOK.page(tx, cursor="nonsense")
