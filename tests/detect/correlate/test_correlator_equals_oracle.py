"""Whatever the order, the cut, the drops and the restarts: what stands is what the oracle finds."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.depth import examples
from tests.detect.correlate.playing import Stream, correlation, event, rule_named
from tocsin.detect.correlate.chain_oracle import findings_of
from tocsin.detect.correlate.limits import Limits
from tocsin.detect.correlate.oracle import Taken, episodes_of
from tocsin.detect.correlate.sharding import Shard
from tocsin.detect.rules.stateful_rule import NewTermsRule, StatefulRule

RULES = ("logon", "net", "scan")
TEXTS = ("a", "A", "b", "c")
NUMBERS = (0, 1, 2, 3, 10, -4, 2.5, 0.1, "7", "many", True, 1e300)
MEMBERS = (["a"], ["a", "b"], ["c", "C", "d"], [], ["b", "a", "c"])
SEEDS = st.integers(0, 2**63)
_SETTINGS = settings(
    max_examples=examples(100),
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def some_events(random: Random, shape: int | None = None) -> list[Taken]:
    shapes = Random(shape) if shape is not None else random  # noqa: S311 - repeatable
    spread = random.choice([5, 60, 300])
    numbers = shapes.choice([NUMBERS, (1, 2, 5)])
    targets = shapes.choice([TEXTS, TEXTS, MEMBERS])
    sizes = shapes.choice([numbers, numbers, ([1], [1, 2.5], [], [-3, 7, 7])])
    events = []
    for number in range(random.randint(1, 30)):
        native: dict[str, object] = {"user": random.choice(TEXTS), "size": random.choice(sizes)}
        if random.random() < 0.9:
            native["host"] = random.choice(TEXTS)
        if random.random() < 0.9:
            native["target"] = random.choice(targets)
        if random.random() < 0.1:
            del native["user"]
        hits = random.sample(RULES, random.choice([1, 1, 1, 2]))
        tenant = "other" if random.random() < 0.1 else "default"
        events.append(event(number, random.randint(0, spread), *hits, tenant=tenant, **native))
    return events


def played(
    rules: Sequence[StatefulRule],
    events: Sequence[Taken],
    random: Random,
    shard: Shard | None = None,
) -> Stream:
    """The events in some order, cut into some turns, with drops and restarts."""
    stream = Stream(rules, shard=shard)
    order = sorted(events, key=lambda one: one.time)
    if random.random() < 0.6:
        near = random.choice([3, 30, 10**9])
        order.sort(key=lambda one: one.time / 1e6 + random.uniform(0, near))
    while order:
        size = random.randint(1, len(order))
        now, order = order[:size], order[size:]
        half = random.randint(0, size)
        batches = [part for part in (now[:half], now[half:]) if part]
        if random.random() < 0.2:
            stream.turn(*batches, dropped=True)
        stream.turn(*batches, final=random.random() < 0.1)
        if random.random() < 0.2:
            stream.restart()
        stream.now += timedelta(seconds=random.choice([0, 1, 100]))
    stream.turn(final=True)
    return stream


def check(make: Callable[[Random], StatefulRule], seed: int) -> None:
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    rule, events = make(random), some_events(random)
    assert played([rule], events, random).episodes() == episodes_of(rule, events), (rule, events)


def check_forgetful(make: Callable[[Random], StatefulRule], seed: int) -> None:
    """With a memory of 20 s only, and events at most that late: all but the ids is the same."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    rule = make(random)
    shape = random.getrandbits(32)
    events = [
        replace(one, time=one.time + random.randint(0, 900) * 1_000_000)
        for _ in range(3)
        for one in some_events(random, shape)
    ]
    events = [replace(one, id=event(number, 0).id) for number, one in enumerate(events)]
    stream = Stream([rule], Limits(lateness=timedelta(seconds=20)))
    order = sorted(events, key=lambda one: one.time / 1e6 + random.uniform(0, 19))
    while order:
        size = random.randint(1, 5)
        stream.turn(order[:size])
        order = order[size:]
        if random.random() < 0.1:
            stream.restart()
    stream.turn(final=True)
    assert stream.correlator.counts()[rule.rule.id].late == 0
    found = [replace(one, ids=()) for one in stream.episodes()]
    assert found == [replace(one, ids=()) for one in episodes_of(rule, events)]


def _where(random: Random) -> dict[str, object]:
    return {
        "rules": random.choices(RULES, k=random.randint(1, 3)),
        "within_s": random.choice([1, 10, 30, 60]),
        "by": random.choice([(), ("user",), ("user", "host"), ("target",)]),
        "aliases": random.choice([{}, {"user": {"net": "host"}}]),
    }


def _fields(random: Random, type_: str) -> tuple[str, ...]:
    if type_ == "value_count":
        return random.choice([("target",), ("target", "host")])
    return ("size",) if type_.startswith("value_") else ()


@_SETTINGS
@given(SEEDS)
def test_counts_of_events_and_values(seed: int) -> None:
    def rule(random: Random) -> StatefulRule:
        type_ = random.choice(["event_count", "value_count"])
        bound = (random.choice(["gt", "gte"]), random.randint(1, 4))
        return correlation(type_, bound, fields=_fields(random, type_), **_where(random))

    check(rule, seed)


@_SETTINGS
@given(SEEDS)
def test_sums_of_any_numbers(seed: int) -> None:
    def rule(random: Random) -> StatefulRule:
        bound = (random.choice(["gt", "gte"]), random.choice([1, 3, 7.5]))
        return correlation("value_sum", bound, fields=("size",), **_where(random))

    check(rule, seed)


@_SETTINGS
@given(SEEDS)
def test_rules_near_each_other_in_any_order_or_in_this(seed: int) -> None:
    def rule(random: Random) -> StatefulRule:
        type_ = random.choice(["temporal", "temporal_ordered"])
        bounds = random.choice([[], [("gte", 2)], [("gt", 0)]])
        return correlation(type_, *bounds, **_where(random))

    check(rule, seed)


@_SETTINGS
@given(SEEDS)
def test_whole_windows(seed: int) -> None:
    def rule(random: Random) -> StatefulRule:
        kinds = "event_count value_count value_sum value_avg value_median value_percentile"
        type_ = random.choice([*kinds.split(), "temporal", "temporal_ordered"])
        upper = (random.choice(["lt", "lte", "eq", "neq"]), random.randint(1, 4))
        bounds = random.choice([[upper], [("gte", 2), ("lte", 3)]])
        return correlation(
            type_,
            *bounds,
            fields=_fields(random, type_),
            percentile=random.choice([10.0, 90.0, 99.5]),
            **_where(random),
        )

    check(rule, seed)


@_SETTINGS
@given(SEEDS)
def test_absences(seed: int) -> None:
    def rule(random: Random) -> StatefulRule:
        rules = random.choices(RULES, k=random.randint(1, 2))
        return correlation("absence", **{**_where(random), "rules": rules})

    check(rule, seed)


@_SETTINGS
@given(SEEDS)
def test_new_terms(seed: int) -> None:
    def rule(random: Random) -> StatefulRule:
        return NewTermsRule(
            rule_named("logon"),
            fields=random.choice([("target",), ("target", "host")]),
            window=timedelta(seconds=random.choice([10, 60, 1000])),
            learning=timedelta(seconds=random.choice([0, 5, 50])),
            group_by=random.choice([(), ("user",)]),
        )

    check(rule, seed)


@settings(_SETTINGS, max_examples=examples(30))
@given(SEEDS)
def test_what_is_forgotten_would_have_changed_nothing(seed: int) -> None:
    def rule(random: Random) -> StatefulRule:
        where = {**_where(random), "within_s": random.choice([1, 10, 30])}
        types = "event_count value_count value_sum temporal temporal_ordered value_avg absence"
        type_ = random.choice([*types.split(), "new_terms"])
        if type_ == "new_terms":
            window = timedelta(seconds=random.choice([10, 100, 1000]))
            none = timedelta(0)
            return NewTermsRule(rule_named("logon"), ("target",), window, none, ("user",))
        bounds = random.choice([[("gte", 1)], [("gte", 2)], [("lt", 3)]])
        if type_ == "absence":
            bounds, where["rules"] = [], random.choices(RULES, k=random.randint(1, 2))
        return correlation(type_, *bounds, fields=_fields(random, type_), **where)

    check_forgetful(rule, seed)


def some_chain(random: Random) -> list[StatefulRule]:
    """Two or three correlations, each taking the one before."""
    kinds = "event_count value_count value_sum temporal temporal_ordered"
    rules: list[StatefulRule] = []
    groupings = [(), ("user",), ("host",), ("target",), ("target", "user")]
    for number in range(random.choice([2, 2, 3])):
        type_ = random.choice([*kinds.split(), *(["absence", "value_avg"] if not number else [])])
        taken = random.choices(RULES, k=random.randint(1, 2))
        if rules:
            taken.insert(random.randint(0, 1), rules[-1].rule.id)
        bound = random.choice([("gte", 1), ("gte", 2), ("gt", 2), ("lt", 3)])
        facts = {**_where(random), "rules": taken, "by": random.choice(groupings)}
        facts["aliases"] = {}
        rules.append(
            correlation(
                type_,
                *([] if type_ == "absence" else [bound]),
                fields=_fields(random, type_),
                rule_id=f"c{number}",
                generate=True,
                **facts,
            )
        )
    return rules


@settings(_SETTINGS, max_examples=examples(60))
@given(SEEDS)
def test_chains_of_correlations(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    rules, events = some_chain(random), some_events(random)
    found = [replace(one, ids=()) for one in played(rules, events, random).episodes()]
    assert found == [replace(one, ids=()) for one in findings_of(rules, events)], (rules, events)
