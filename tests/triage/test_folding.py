"""Findings fold into alerts that grow, are never capped and keep what made them."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.model.alert import Alert, AlertStatus
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.finding import Finding, MatchedField
from tocsin.model.severity import Level
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.triage.alerts import AlertBook
from tocsin.triage.folding import exemplar_of, fold, joined_exemplars

Make = Callable[..., Finding]
ALICE = Entity(EntityKind.USER, "alice")


class Tiers:
    """Knows that ws01 is most critical."""

    def tier_of(self, entity: Entity) -> int | None:
        return 0 if entity.name == "ws01" else None


def put(
    state: SqliteState, findings: Iterable[Finding], now: datetime, book: AlertBook | None = None
) -> list[Alert]:
    with state.begin() as tx:
        return (book or AlertBook()).fold(tx, list(findings), now)


def test_the_same_rule_and_entity_fold_into_one_alert(
    state: SqliteState, finding: Make, noon: datetime
) -> None:
    (first,) = put(state, [finding(0), finding(1)], noon)
    (grown,) = put(state, [finding(number) for number in range(2, 50)], noon)
    assert grown.id == first.id
    assert (first.count, grown.count) == (2, 50)
    assert grown.first_seen == noon
    assert grown.last_seen == noon + timedelta(seconds=49)
    with state.read() as tx:
        assert AlertBook().get(tx, first.id) == grown


def test_other_rules_entities_and_tenants_are_other_alerts(
    state: SqliteState, finding: Make, noon: datetime
) -> None:
    alerts = put(
        state,
        [
            finding(0),
            finding(0, rule="rule-2"),
            finding(0, host="ws02"),
            finding(1, tenant="other"),
        ],
        noon,
    )
    assert len({alert.id for alert in alerts}) == 4


def test_an_alert_keeps_the_first_and_the_latest_four_events(
    state: SqliteState, finding: Make, noon: datetime
) -> None:
    for start in range(0, 30, 10):
        (alert,) = put(state, [finding(number) for number in range(start, start + 10)], noon)
    kept = [exemplar.event_id for exemplar in alert.exemplars]
    assert kept == [f"event-{number:05}" for number in (0, 26, 27, 28, 29)]


def test_late_events_take_their_place_in_time(
    state: SqliteState, finding: Make, noon: datetime
) -> None:
    put(state, [finding(10)], noon)
    (alert,) = put(state, [finding(3), finding(20)], noon)
    assert [exemplar.event_id for exemplar in alert.exemplars] == [
        f"event-{number:05}" for number in (3, 10, 20)
    ]
    assert alert.first_seen == noon + timedelta(seconds=3)


def test_a_finding_counts_once(state: SqliteState, finding: Make, noon: datetime) -> None:
    (alert,) = put(state, [finding(0), finding(0), finding(1)], noon)
    assert alert.count == 2
    assert put(state, [finding(1)], noon) == []


def test_sources_related_entities_and_techniques_are_gathered(
    state: SqliteState, finding: Make, noon: datetime
) -> None:
    put(state, [finding(0, related=(ALICE,))], noon)
    (alert,) = put(state, [finding(1, source="edr", techniques=("T1003",))], noon)
    assert alert.related == (ALICE,)
    assert alert.sources == ("sysmon", "edr")
    assert alert.techniques == ("T1059.001", "T1003")
    assert "seen by 2 sources" in [addend.reason for addend in alert.score.addends]


def test_the_level_is_the_highest_seen(state: SqliteState, finding: Make, noon: datetime) -> None:
    put(state, [finding(0, level=Level.HIGH)], noon)
    (alert,) = put(state, [finding(1, level=Level.LOW)], noon)
    assert alert.level is Level.HIGH


def test_without_an_entity_the_source_is_what_it_is_about(
    state: SqliteState, finding: Make, noon: datetime
) -> None:
    (alert,) = put(state, [finding(0, host=None, source="Proxy")], noon)
    assert alert.entity == Entity(EntityKind.SOURCE, "proxy")


def test_a_closed_alert_stays_closed_and_a_new_one_names_it(
    state: SqliteState, finding: Make, noon: datetime
) -> None:
    book = AlertBook()
    (first,) = put(state, [finding(0)], noon)
    with state.begin() as tx:
        book.change(tx, [first.id], status=AlertStatus.CLOSED, reason="test", by="ann", now=noon)
    (second,) = put(state, [finding(1)], noon + timedelta(hours=1))
    assert second.id != first.id
    assert (second.previous_id, second.status, second.count) == (first.id, AlertStatus.NEW, 1)
    with state.read() as tx:
        closed = book.get(tx, first.id)
    assert closed is not None
    assert (closed.status, closed.count) == (AlertStatus.CLOSED, 1)
    assert put(state, [finding(1)], noon) == []


def test_a_check_that_repeats_a_finding_does_not_reopen_what_was_closed(
    state: SqliteState, finding: Make, noon: datetime
) -> None:
    (alert,) = put(state, [finding(0)], noon)
    with state.begin() as tx:
        AlertBook().change(
            tx, [alert.id], status=AlertStatus.CLOSED, reason="known", by="ann", now=noon
        )
    assert put(state, [finding(0)], noon) == []


def test_the_tier_of_the_entity_enters_the_score(
    state: SqliteState, finding: Make, noon: datetime
) -> None:
    book = AlertBook(Tiers())
    critical, unknown = put(state, [finding(0), finding(0, host="ws02")], noon, book)
    assert critical.score.value == unknown.score.value + 12


def test_what_json_has_no_word_for_is_kept_as_text(finding: Make) -> None:
    class Odd:
        def __str__(self) -> str:
            return "odd"

    deep: dict[str, object] = {}
    inner = deep
    for _ in range(5000):
        inner["a"] = {}
        inner = inner["a"]  # type: ignore[assignment]
    fields: dict[str, object] = {
        "when": datetime(2026, 1, 1, tzinfo=UTC),
        "bytes": b"\xff\x00",
        "nan": float("nan"),
        "odd": Odd(),
        "list": [1, "x", None],
    }
    kept = exemplar_of(finding(0, fields=fields)).fields
    assert kept["when"] == "2026-01-01T00:00:00+00:00"
    assert kept["nan"] == "nan"
    assert kept["odd"] == "odd"
    assert kept["list"] == [1, "x", None]
    assert "nested deeper" in str(exemplar_of(finding(0, fields=deep)).fields)


def test_huge_values_are_cut_and_say_so(state: SqliteState, finding: Make, noon: datetime) -> None:
    (alert,) = put(state, [finding(0, fields={"CommandLine": "x" * 10**6})], noon)
    kept = alert.exemplars[0].fields["CommandLine"]
    assert isinstance(kept, str)
    assert len(kept) < 9000
    assert "1,000,000 characters" in kept


def test_attacker_text_with_broken_unicode_is_stored(
    state: SqliteState, finding: Make, noon: datetime
) -> None:
    put(state, [finding(0, fields={"a": "\ud800\0", "\udfff": "'; DROP TABLE alerts; --"})], noon)
    with state.read() as tx:
        (alert,) = AlertBook().page(tx).items
    assert alert.exemplars[0].fields["a"] == "\ud800\0"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=40), st.integers(1, 40))
def test_how_findings_are_cut_into_batches_does_not_matter(numbers: list[int], cut: int) -> None:
    def one(number: int) -> Finding:
        moment = datetime(2026, 8, 3, tzinfo=UTC) + timedelta(seconds=number)
        return Finding(
            *(f"f{number}", "r", "R", Level.LOW, moment, f"e{number}", "l", "s", (), ()),
            entities=(ALICE,),
            matched=(MatchedField("a", "b", "c"),),
            fields={},
            ocsf={},
        )

    distinct = [one(number) for number in dict.fromkeys(numbers)]
    whole = fold("k", distinct).exemplars
    parts = fold("k", distinct[:cut]).exemplars
    if distinct[cut:]:
        parts = tuple(joined_exemplars(parts, fold("k", distinct[cut:]).exemplars))
    assert list(parts) == list(whole)
