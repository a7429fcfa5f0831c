"""Witnesses are chosen anew when they must be, and not for ever."""

from tocsin.detect.matching.drift import ENOUGH_SAMPLED, Drift


def learned_after(drift: Drift, batches: int, *, rows: int, pairs: int, sampled: int) -> list[int]:
    """The numbers of the batches before which learning was called for."""
    called = []
    for number in range(batches):
        if drift.calls_for_learning(sampled, rows):
            called.append(number)
        drift.saw(rows, pairs)
    return called


def test_the_first_large_batch_is_learned_from() -> None:
    assert Drift().calls_for_learning(sampled=0, coming=512)
    assert not Drift().calls_for_learning(sampled=0, coming=100)


def test_small_batches_are_learned_from_when_they_have_become_many() -> None:
    drift = Drift()
    assert learned_after(drift, 5, rows=100, pairs=1, sampled=0) == []
    assert drift.calls_for_learning(sampled=0, coming=12)


def test_what_an_earlier_run_has_learned_is_looked_at_anew_but_not_at_once() -> None:
    drift = Drift()
    drift.was_settled_before()
    assert learned_after(drift, 4, rows=50_000, pairs=1, sampled=0)[0] == 1


def test_few_samples_are_added_to_at_ever_longer_intervals() -> None:
    called = learned_after(Drift(), 2_000, rows=10, pairs=1, sampled=50)
    assert called == [200, 800]


def test_steady_events_are_learned_from_once() -> None:
    assert learned_after(Drift(), 100, rows=50_000, pairs=200_000, sampled=ENOUGH_SAMPLED) == []


def test_events_that_let_more_through_are_learned_from_ever_more_rarely() -> None:
    drift = Drift()
    assert learned_after(drift, 5, rows=50_000, pairs=50_000, sampled=512) == []
    changed = learned_after(drift, 40, rows=50_000, pairs=900_000, sampled=512)
    assert len(changed) == 1
    pairs = 900_000
    counts = []
    for _ in range(3):
        pairs *= 3
        counts.append(learned_after(drift, 60, rows=50_000, pairs=pairs, sampled=512))
    assert [len(called) for called in counts] == [1, 1, 1]
    assert counts[0][0] < counts[-1][0] + 60
