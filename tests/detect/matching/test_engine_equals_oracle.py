"""The fast path and the plain evaluator give the same verdict for every rule and record."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.depth import examples
from tocsin.detect.authoring.sample_batch import batch_of, lane_for
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import All, Matcher, Node, Not, Operator
from tocsin.detect.rules.matcher import Any as AnyOf
from tocsin.detect.rules.oracle import matches
from tocsin.model.event import EventBatch
from tocsin.model.lane import LogSource
from tocsin.model.rule import Rule
from tocsin.model.severity import Level

LANE = lane_for("windows", "process_creation", None)

FIELDS = ["Image", "CommandLine", "EventID", "Hashes", "user.name", "list.of", "Missing"]
WORDS = [
    "net",
    "NET",
    "\\net.exe",
    ".exe",
    "a",
    "",
    "ß",
    "SS",
    "İ",
    "\n",
    "\0",
    "x\0y",
    "\u017f",
    "\u212a",
]
NUMBERS = [
    "4624",
    "1",
    "-5",
    "1.5",
    "10.0.0.1",
    "::ffff:10.0.0.1",
    "fe80::1",
    "2024-02-29T23:59:01",
]

texts = st.lists(st.sampled_from(WORDS + NUMBERS), max_size=4).map("".join) | st.text(max_size=6)
scalars = st.one_of(
    texts,
    st.integers(-10, 5000),
    st.sampled_from([4624.0, 1.5, -0.0]),
    st.booleans(),
    st.none(),
)
records = st.fixed_dictionaries(
    {},
    optional={
        "Image": texts,
        "CommandLine": texts,
        "EventID": scalars,
        "Hashes": st.lists(st.one_of(texts, st.none()), max_size=3),
        "user": st.fixed_dictionaries(
            {}, optional={"name": scalars, "tags": st.lists(texts, max_size=2)}
        ),
        "list": st.lists(
            st.fixed_dictionaries({}, optional={"of": texts, "deep": st.lists(texts, max_size=2)}),
            max_size=3,
        ),
    },
)
fields = st.sampled_from([*FIELDS, "user", "user.tags", "list", "list.deep", "Image"])
patterns = st.lists(
    st.sampled_from(["*", "?", "\\*", "\\\\", *WORDS[:8]]), min_size=1, max_size=4
).map("".join)
expressions = st.sampled_from(
    ["net", "(?i)NET", "^a", "a$", "a|b", r"\.exe", "(net)?x", "n+e", "[a-c]ß", r"\d{4}", "(?s)a.b"]
)
comparisons = st.sampled_from(
    [Operator.EQUAL, Operator.LESS, Operator.LESS_EQUAL, Operator.GREATER, Operator.GREATER_EQUAL]
)
references = st.sampled_from([operator for operator in Operator if operator.startswith("fieldref")])
anchored = st.sampled_from(
    [Operator.EXACT, Operator.CONTAINS, Operator.STARTSWITH, Operator.ENDSWITH]
)


def _matcher(field: st.SearchStrategy[str]) -> st.SearchStrategy[Node]:
    several = st.lists(texts, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Matcher, field, anchored, several, st.booleans()),
        st.builds(
            Matcher, field, st.just(Operator.GLOB), patterns.map(lambda p: (p,)), st.booleans()
        ),
        st.builds(Matcher, field, st.just(Operator.REGEX), expressions.map(lambda e: (e,))),
    )


named = st.one_of(
    _matcher(fields),
    st.builds(Matcher, fields, st.sampled_from([Operator.NULL, Operator.EXISTS])),
    st.builds(Matcher, fields, comparisons, st.sampled_from([("1",), ("4624",), ("1.5",)])),
    st.builds(
        Matcher,
        fields,
        comparisons,
        st.sampled_from([("2",), ("23",)]),
        part=st.sampled_from(["month", "hour", "week"]),
    ),
    st.builds(
        Matcher,
        fields,
        st.just(Operator.CIDR),
        st.sampled_from([("10.0.0.0/8",), ("fe80::/10",), ("::/0", "0.0.0.0/0")]),
    ),
    st.builds(Matcher, fields, references, fields.map(lambda field: (field,))),
)
conditions = st.recursive(
    st.one_of(named, _matcher(st.just(""))),
    lambda parts: st.one_of(
        st.lists(parts, min_size=1, max_size=3).map(lambda found: All(tuple(found))),
        st.lists(parts, min_size=1, max_size=3).map(lambda found: AnyOf(tuple(found))),
        parts.map(Not),
    ),
    max_leaves=6,
)


MADE = Counter[str]()
"""Pairs of made rules and records, compared so far."""


@pytest.fixture(autouse=True)
def _pairs_are_told(record_property: Callable[[str, object], None]) -> Iterator[None]:
    before = MADE["pairs"]
    yield
    record_property("pairs_made", MADE["pairs"] - before)


def _rule(number: int, condition: Node) -> SigmaMatchRule:
    rule = Rule(
        id=f"rule-{number}", title="generated", level=Level.LOW, logsource=LogSource("windows")
    )
    return SigmaMatchRule(rule, condition)


def _verdicts(rules: Sequence[SigmaMatchRule], batch: EventBatch) -> dict[str, tuple[int, ...]]:
    rows = batch.native_rows(range(len(batch)))
    MADE["pairs"] += len(rules) * len(rows)
    found = {
        one.rule.id: tuple(at for at, row in enumerate(rows) if matches(one, row)) for one in rules
    }
    return {rule_id: hit for rule_id, hit in found.items() if hit}


def _engine_verdicts(engine: Engine, batch: EventBatch) -> dict[str, tuple[int, ...]]:
    return {hit.rule.id: hit.rows for hit in engine.evaluate(batch)}


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(conditions, min_size=1, max_size=6),
    st.lists(st.lists(records, min_size=1, max_size=6), min_size=1, max_size=3),
)
def test_generated_rules_and_records_get_the_oracles_verdict(
    generated: list[Node], batches: list[list[dict[str, Any]]]
) -> None:
    rules = [_rule(number, condition) for number, condition in enumerate(generated)]
    engine = Engine(RuleSet(tuple(rules)))
    for batch in [batch_of(LANE, rows) for rows in batches]:
        assert _engine_verdicts(engine, batch) == _verdicts(rules, batch)


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(conditions, min_size=1, max_size=4),
    st.lists(texts, min_size=4, max_size=12),
    st.data(),
)
def test_columns_whose_values_hardly_repeat_get_the_oracles_verdict(
    generated: list[Node], seeds: list[str], data: st.DataObject
) -> None:
    rows = [
        {
            "CommandLine": f"{seeds[at % len(seeds)]}{at:x}",
            "Image": f"{at}{seeds[(at * 7) % len(seeds)]}",
            **({"EventID": at} if at % 3 else {}),
        }
        for at in range(1100)
    ]
    rules = [_rule(number, condition) for number, condition in enumerate(generated)]
    engine = Engine(RuleSet(tuple(rules)))
    batch = batch_of(LANE, rows)
    expected = _verdicts(rules, batch)
    for _ in range(2):  # the second time, repetitions are no longer looked for
        assert _engine_verdicts(engine, batch) == expected


def test_letters_beyond_ascii_lose_their_case_where_values_hardly_repeat() -> None:
    rules = [
        _rule(0, Matcher("CommandLine", Operator.CONTAINS, ("müller7",))),
        _rule(1, Matcher("CommandLine", Operator.STARTSWITH, ("STRASSE1",))),
        _rule(2, Matcher("CommandLine", Operator.CONTAINS, ("MÜLLER7",), cased=True)),
        _rule(3, Matcher("", Operator.CONTAINS, ("müller99",))),
    ]
    rows = [{"CommandLine": f"Straße{at} MÜLLER{at}"} for at in range(5000)]
    batch = batch_of(LANE, rows)
    engine = Engine(RuleSet(tuple(rules)))
    expected = _verdicts(rules, batch)
    assert len(expected) == 4
    for _ in range(2):
        assert _engine_verdicts(engine, batch) == expected


def test_a_slice_of_a_batch_gets_the_oracles_verdict() -> None:
    rules = [
        _rule(0, Matcher("list.of", Operator.CONTAINS, ("net",))),
        _rule(1, Matcher("user.name", Operator.EXACT, ("bob",))),
        _rule(2, Matcher("Hashes", Operator.NULL)),
    ]
    whole = batch_of(
        LANE,
        [
            {"list": [{"of": "net.exe"}], "user": {"name": "ann"}},
            {"list": [{"of": "x"}, {"of": "NET"}], "user": {"name": "bob"}, "Hashes": ["1"]},
            {"user": None, "Hashes": []},
            {"list": None, "user": {"name": "Bob"}},
        ],
    )
    part = EventBatch(
        LANE,
        whole.sources.slice(1, 3),
        whole.tenant,
        whole.event_ids.slice(1, 3),
        whole.times.slice(1, 3),
        whole.ingested_at.slice(1, 3),
        whole.native.slice(1, 3),
        whole.ocsf.slice(1, 3),
        whole.raw.slice(1, 3),
    )
    found = _engine_verdicts(Engine(RuleSet(tuple(rules))), part)
    assert found == {"rule-0": (0,), "rule-1": (0, 2), "rule-2": (1, 2)}


@pytest.mark.slow
def test_the_sigma_corpus_loads_and_what_is_not_supported_says_why(sigma_rules: RuleSet) -> None:
    assert len(sigma_rules.rules) > 3900
    assert all(problem.reason and problem.line > 0 for problem in sigma_rules.problems)
    assert len(sigma_rules.rules) + len(sigma_rules.problems) >= 4039


@pytest.mark.slow
def test_every_corpus_rule_gets_the_oracles_verdict_on_values_taken_from_the_rules(
    sigma_rules: RuleSet,
) -> None:
    """Events made of the rules' own patterns come nearer to matching than any recorded ones."""
    rules = [r for r in sigma_rules.rules if r.rule.logsource.category == "process_creation"]
    rules = [r for r in rules if r.rule.logsource.product == "windows"][::3]
    rows = [_event_from(one, at) for at, one in enumerate(rules)]
    batch = batch_of(LANE, rows)
    engine = Engine(RuleSet(tuple(rules)))
    expected = _verdicts(rules, batch)
    assert len(expected) > 150
    assert _engine_verdicts(engine, batch) == expected


def _event_from(one: SigmaMatchRule, at: int) -> dict[str, object]:
    event: dict[str, object] = {}
    for matcher in _positive(one.condition):
        if matcher.field and matcher.values:
            value = matcher.values[at % len(matcher.values)].replace("*", " ")
            event[matcher.field] = f"{event.get(matcher.field, '')}{value}"
    return event


def _positive(node: Node) -> list[Matcher]:
    if isinstance(node, Matcher):
        return [node]
    if isinstance(node, All):
        return [matcher for part in node.parts for matcher in _positive(part)]
    return _positive(node.parts[0]) if isinstance(node, AnyOf) else []


def test_an_empty_batch_has_no_hits() -> None:
    rules = RuleSet((_rule(0, Not(Matcher("a", Operator.EXISTS))),))
    batch = batch_of(LANE, [{"b": "x"}])
    empty = EventBatch(
        LANE,
        batch.sources.slice(0, 0),
        "default",
        batch.event_ids.slice(0, 0),
        batch.times.slice(0, 0),
        batch.ingested_at.slice(0, 0),
        batch.native.slice(0, 0),
        batch.ocsf.slice(0, 0),
        pa.nulls(0, pa.binary()),
    )
    assert Engine(rules).evaluate(empty) == []
    assert [hit.rows for hit in Engine(rules).evaluate(batch)] == [(0,)]
