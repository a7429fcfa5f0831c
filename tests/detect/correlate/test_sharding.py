"""Correlators with a shard each find together what one finds; each keeps groups of its own."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings

from tests.depth import examples
from tests.detect.correlate.playing import Stream, correlation, event, rule_named
from tests.detect.correlate.test_correlator_equals_oracle import (
    _SETTINGS,
    RULES,
    SEEDS,
    played,
    some_chain,
    some_events,
)
from tocsin.detect.correlate.oracle import Episode, Taken
from tocsin.detect.correlate.sharding import Shard
from tocsin.detect.rules.stateful_rule import CorrelationRule, NewTermsRule, StatefulRule


def some_rules(random: Random) -> list[StatefulRule]:
    """A chain of correlations, and some rules by themselves.

    No correlation may take a new-terms rule, so that one is of hits the others leave alone.
    """
    by = random.choice([("user",), ("target",), ("user", "host"), ()])
    rules: list[CorrelationRule] = [
        *some_chain(random),
        correlation("event_count", ("gte", 2), by=by, rule_id="count"),
        correlation("absence", rules=random.choices(RULES, k=2), by=by, rule_id="absent"),
        correlation("value_avg", ("gt", 1), by=by, fields=("size",), rule_id="mean"),
    ]
    taken = {name for one in rules for name in one.rules}
    fresh = [
        NewTermsRule(rule_named(name), ("target",), timedelta(minutes=5), timedelta(0), by)
        for name in RULES
        if name not in taken
    ]
    return [*rules, *fresh[:1]]


@settings(_SETTINGS, max_examples=examples(8))
@given(SEEDS)
def test_shards_together_find_what_one_finds(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    rules, events, of = some_rules(random), some_events(random), random.choice([2, 3])
    whole = played(rules, events, random).episodes()
    parts = [played(rules, events, random, Shard(index, of)) for index in range(of)]
    together = sorted(one for part in parts for one in part.episodes())
    assert without_ids(together) == without_ids(whole), (rules, events, of)


def without_ids(episodes: Sequence[Episode]) -> list[Episode]:
    """Chained windows do not tell evidence again that was exchanged one for one."""
    return [replace(one, ids=()) for one in episodes]


def guessed(users: int) -> list[Taken]:
    return [event(n, n % 50, "logon", user=f"user{n % users}") for n in range(3 * users)]


def test_each_group_is_kept_in_one_shard_and_all_have_some() -> None:
    rule = correlation("event_count", ("gte", 3))
    streams = [Stream([rule], shard=Shard(index, 4)) for index in range(4)]
    for stream in streams:
        stream.turn(guessed(400))
    held = [stream.correlator.counts()["correlation"].groups for stream in streams]
    assert sum(held) == 400
    assert min(held) > 50


def test_rules_without_groups_are_spread_over_the_shards() -> None:
    rules = [correlation("event_count", ("gte", 1), by=(), rule_id=f"r{n}") for n in range(60)]
    homes = []
    for index in range(3):
        stream = Stream(rules, shard=Shard(index, 3))
        stream.turn([event(1, 0, "logon", user="ann")])
        homes.append(len(stream.standing))
    assert sum(homes) == 60
    assert min(homes) > 5


def test_events_without_a_group_are_counted_by_the_first_shard_alone() -> None:
    rule = correlation("event_count", ("gte", 3))
    lost = []
    for index in range(3):
        stream = Stream([rule], shard=Shard(index, 3))
        stream.turn([event(1, 0, "logon", host="h"), event(2, 0, "logon", user="u")])
        lost.append(stream.correlator.counts()["correlation"].ungrouped)
    assert lost == [1, 0, 0]


def test_a_chain_that_regroups_keeps_a_finding_where_the_outer_group_is() -> None:
    rules = chain_by(("user", "host"), ("host",))
    events = [event(n, n, "logon", user=f"u{n % 5}", host="db01") for n in range(20)]
    found = []
    for index in range(4):
        stream = Stream(rules, shard=Shard(index, 4))
        stream.turn(events)
        stream.turn(final=True)
        found.append([one.rule.id for one in stream.standing.values()])
    assert sorted(map(len, found)) == [0, 0, 0, 6], "five users and the host, all in one place"


def chain_by(inner: Sequence[str], outer: Sequence[str]) -> list[StatefulRule]:
    return [
        correlation("event_count", ("gte", 4), by=inner, rule_id="inner", generate=True),
        correlation("event_count", ("gte", 5), rules=["inner"], by=outer, rule_id="outer",
                    generate=True),
    ]  # fmt: skip


def test_memory_of_another_shard_or_another_number_of_shards_is_not_taken_up() -> None:
    rule = correlation("event_count", ("gte", 3))
    stream = Stream([rule], shard=Shard(0, 2))
    stream.turn(guessed(50))
    kept = stream.correlator.counts()["correlation"].groups
    for shard, expected in ((Shard(0, 2), kept), (Shard(1, 2), 0), (Shard(0, 3), 0)):
        other = Stream([rule], shard=shard)
        other.saved = stream.saved
        other.restart()
        assert other.correlator.counts()["correlation"].groups == expected


@pytest.mark.parametrize(("index", "of"), [(2, 2), (-1, 2), (0, 0)])
def test_a_shard_that_is_not_is_refused(index: int, of: int) -> None:
    with pytest.raises(ValueError, match="count from 0"):
        Shard(index, of)
