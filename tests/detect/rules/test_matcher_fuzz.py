"""Rules and events at random, hostile text among them: the engine says what the oracle says."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tocsin.detect.authoring.sample_batch import batch_of, lane_for
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import All, Any, Matcher, Node, Not, Operator
from tocsin.detect.rules.oracle import matches
from tocsin.model.event import EventBatch
from tocsin.model.lane import LogSource
from tocsin.model.rule import Rule
from tocsin.model.severity import Level

LANE = lane_for("windows", "process_creation", None)
FIELDS = ("Image", "CommandLine", "EventID", "user.name", "list.of", "tags", "Missing", "")
PIECES = (
    *(
        "net",
        "NET",
        "\\",
        ".exe",
        "powershell",
        " -enc ",
        "a",
        "ab",
        "ß",
        "SS",
        "İ",
        "\u017f",
        "\u212a",
    ),
    *("\n", "\0", "é", "e\u0301", "\U0001f600", "4624", "10.0.0.1", "1.5", "*", "?", "%"),
)
EXPRESSIONS = (
    *("net", "(?i)NET", "^a", "a$", "a|ß", r"\.exe", "n+e", r"\d{4}", "(?s)a.b", "[^a-z]e"),
    *(r"(?<!a)net", r"(.)\1", r"^(?!.*exe)", r"(?i)(?=.*e)net", r"(?>a+)b", r"\bnet\b"),
)
ANCHORED = (Operator.EXACT, Operator.CONTAINS, Operator.STARTSWITH, Operator.ENDSWITH)
ORDERED = (Operator.LESS, Operator.GREATER_EQUAL, Operator.EQUAL)
REFERRED = (
    Operator.FIELD_EQUALS,
    Operator.FIELD_CONTAINS,
    Operator.FIELD_STARTSWITH,
    Operator.FIELD_ENDSWITH,
)


def text(draw: Random) -> str:
    return "".join(draw.choice(PIECES) for _ in range(draw.randrange(5)))


def scalar(draw: Random) -> object:
    kinds = (text(draw), text(draw), text(draw), draw.randrange(-5, 5000), draw.random() * 10, None)
    return draw.choice((*kinds, draw.random() < 0.5, 2 ** draw.randrange(70), float("nan")))


def event(draw: Random) -> dict[str, object]:
    made: dict[str, object] = {"Image": text(draw), "CommandLine": text(draw) + text(draw)}
    if draw.random() < 0.7:
        made["EventID"] = scalar(draw)
    if draw.random() < 0.5:
        made["user"] = {"name": scalar(draw)}
    if draw.random() < 0.4:
        made["list"] = [{"of": text(draw)} for _ in range(draw.randrange(3))]
    if draw.random() < 0.4:
        made["tags"] = [scalar(draw) for _ in range(draw.randrange(4))]
    if draw.random() < 0.05:
        made |= {f"extra{at}": text(draw) for at in range(300)}
    return made


def matcher(draw: Random) -> Matcher:
    field, cased = draw.choice(FIELDS), draw.random() < 0.3
    kind = draw.randrange(10)
    if kind < 4:
        values = tuple(text(draw) for _ in range(draw.randrange(1, 4)))
        return Matcher(field, draw.choice(ANCHORED), values, cased)
    if kind == 4:
        return Matcher(field, Operator.GLOB, (f"{draw.choice('*?')}{text(draw)}*",), cased)
    if kind == 5:
        return Matcher(field, Operator.REGEX, (draw.choice(EXPRESSIONS),))
    named = field or "Image"
    if kind == 6:
        return Matcher(named, draw.choice((Operator.EXISTS, Operator.NULL)))
    if kind == 7:
        return Matcher(named, draw.choice(ORDERED), (draw.choice(("4624", "1.5", "0")),))
    if kind == 8:
        return Matcher(named, Operator.CIDR, ("10.0.0.0/8",))
    return Matcher(named, draw.choice(REFERRED), (draw.choice(FIELDS[:-1]),), cased)


def condition(draw: Random, depth: int = 0) -> Node:
    kind = draw.random()
    if depth > 2 or kind < 0.4:
        return matcher(draw)
    if kind < 0.55:
        return Not(condition(draw, depth + 1))
    parts = tuple(condition(draw, depth + 1) for _ in range(draw.randrange(1, 4)))
    return All(parts) if kind < 0.8 else Any(parts)


def rule_set(draw: Random, size: int) -> RuleSet:
    rules = [
        SigmaMatchRule(
            Rule(f"rule-{number}", "made", Level.LOW, LogSource("windows")), condition(draw)
        )
        for number in range(size)
    ]
    return RuleSet(tuple(rules))


def compare(engine: Engine, batch: EventBatch, distinct: int) -> int:
    """Pairs compared; rows are ``distinct`` events over and over."""
    rows = batch.native_rows(range(min(distinct, len(batch))))
    hits = {hit.rule.id: hit.rows for hit in engine.evaluate(batch)}
    for one in engine.ruleset.rules:
        verdicts = [matches(one, row) for row in rows]
        expected = tuple(at for at in range(len(batch)) if verdicts[at % len(rows)])
        assert hits.get(one.rule.id, ()) == expected, one.condition
    return len(rows) * len(engine.ruleset.rules)


def fuzz(seed: int, cache: Path | None = None) -> int:
    """Small batches, a large one, changed rules, an engine of the next day; pairs compared."""
    draw = Random(seed)  # noqa: S311 - nothing secret
    rules = rule_set(draw, 12)
    engine = Engine(rules, cache)
    pairs = 0
    for size in (1, 7, 30):
        pairs += compare(engine, batch_of(LANE, [event(draw) for _ in range(size)]), size)
    some = [event(draw) for _ in range(20)]
    large = batch_of(LANE, [some[at % 20] for at in range(2400)])
    pairs += compare(engine, large, 20)
    engine.replace(RuleSet((*rule_set(draw, 3).rules, *rules.rules[3:9])))
    pairs += compare(engine, large, 20)
    again = Engine(engine.ruleset, cache)
    return pairs + compare(again, batch_of(LANE, some), 20) + compare(again, large, 20)


@pytest.mark.parametrize("seed", range(12))
def test_rules_and_events_at_random(
    seed: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    pairs = fuzz(seed, tmp_path)
    record_property("pairs_made", pairs)
    assert pairs > 1000
