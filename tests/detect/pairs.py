"""Holds the engine to the oracle on every pair of rule and event, in bearable time.

The oracle is asked once for each matcher and each distinct value (of both fields, for a field
reference), with a record that holds just that value, and not at all where no text of the rule
occurs in the value. A condition is then put together from these answers by and, or and not. That
this is what the oracle says of the whole record is asked anew on a sample of the pairs.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import FIELD_REFERENCES, KEYWORD, All, Matcher, Node, Not, Operator
from tocsin.detect.rules.oracle import matches
from tocsin.detect.rules.value_text import text_of
from tocsin.model.event import EventBatch
from tocsin.model.field_path import values_at
from tocsin.model.lane import Lane, LogSource
from tocsin.model.rule import Rule
from tocsin.model.severity import Level

SAMPLED = 997
"""One pair in so many is also asked of the oracle as it is."""

_IN_THE_TEXT = frozenset(
    {Operator.EXACT, Operator.CONTAINS, Operator.STARTSWITH, Operator.ENDSWITH}
)
_ASKED = Rule(id="asked", title="asked", level=Level.LOW, logsource=LogSource())

Rows = int
"""A set of rows: bit n stands for row n."""

Fragment = dict[str, object]


@dataclass
class Compared:
    """How many pairs were compared, hit, asked of the plain oracle; and of another log source."""

    pairs: int = 0
    hits: int = 0
    sampled: int = 0
    elsewhere: int = 0
    differing: list[str] = field(default_factory=list)


class Pairs:
    """Compares batch after batch, remembering what the oracle said of a matcher and a value."""

    def __init__(self, rules: Sequence[SigmaMatchRule]) -> None:
        self.rules = rules
        self.engine = Engine(RuleSet(tuple(rules)))
        self.compared = Compared()
        self._verdicts: dict[tuple[Matcher, Hashable], bool] = {}
        self._unasked = SAMPLED
        self._asking: dict[Lane, list[SigmaMatchRule]] = {}

    def compare(self, batch: EventBatch, place: str) -> None:
        """Every rule on every event of the batch."""
        if not len(batch):
            return
        hits = {
            hit.rule.id: sum(1 << row for row in hit.rows) for hit in self.engine.evaluate(batch)
        }
        asking = self._asking.get(batch.lane)
        if asking is None:
            asking = [one for one in self.rules if batch.lane.accepts(one.rule.logsource)]
            self._asking[batch.lane] = asking
        done = self.compared
        records = batch.native_rows(range(len(batch)))
        seen = _Batch(records, self._verdicts)
        for one in asking:
            wanted = seen.holds(one.condition)
            found = hits.pop(one.rule.id, 0)
            done.hits += found.bit_count()
            if wanted != found:
                done.differing.append(f"{place} {batch.lane.id}: {one.rule.id} {one.rule.title}")
            self._sample(one, records, found, place)
            done.pairs += len(batch)
        done.differing += [
            f"{place} {batch.lane.id}: {rule} of another log source" for rule in hits
        ]
        done.elsewhere += (len(self.rules) - len(asking)) * len(batch)

    def tell(self, record_property: Callable[[str, object], None]) -> None:
        """Put the counts on the test's report; the summary of the run adds them up."""
        record_property("pairs", self.compared.pairs)
        record_property("pairs_elsewhere", self.compared.elsewhere)
        record_property("pairs_hit", self.compared.hits)

    def _sample(
        self, one: SigmaMatchRule, records: list[Fragment], found: Rows, place: str
    ) -> None:
        self._unasked -= len(records)
        while self._unasked < 0:
            row = -self._unasked % len(records)
            self._unasked += SAMPLED
            self.compared.sampled += 1
            if matches(one, records[row]) != bool(found >> row & 1):
                self.compared.differing.append(f"{place} row {row}: {one.rule.id} (sampled)")


class _Batch:
    """The records of a batch, grouped by the values of each field that rules ask for."""

    def __init__(
        self, records: list[Fragment], verdicts: dict[tuple[Matcher, Hashable], bool]
    ) -> None:
        self._records = records
        self._every = (1 << len(records)) - 1
        self._verdicts = verdicts
        self._groups: dict[tuple[str, ...], list[tuple[Hashable, Fragment, Rows, str]]] = {}
        self._found: dict[Matcher, Rows] = {}

    def holds(self, node: Node) -> Rows:
        if isinstance(node, Matcher):
            found = self._found.get(node)
            if found is None:
                found = self._found[node] = self._matched(node)
            return found
        if isinstance(node, Not):
            return self._every & ~self.holds(node.part)
        rows = self._every if isinstance(node, All) else 0
        for part in node.parts:
            rows = rows & self.holds(part) if isinstance(node, All) else rows | self.holds(part)
        return rows

    def _matched(self, matcher: Matcher) -> Rows:
        fields: tuple[str, ...] = (matcher.field,)
        if matcher.operator in FIELD_REFERENCES:
            fields = (matcher.field, matcher.values[0])
        groups = self._groups.get(fields)
        if groups is None:
            groups = self._groups[fields] = self._grouped(fields)
        rows = 0
        needles = _needed(matcher)
        for key, fragment, at, text in groups:
            if needles and not any(needle in text for needle in needles):
                continue
            verdict = self._verdicts.get((matcher, key))
            if verdict is None:
                verdict = matches(SigmaMatchRule(_ASKED, matcher), fragment)
                self._verdicts[matcher, key] = verdict
            if verdict:
                rows |= at
        return rows

    def _grouped(self, fields: tuple[str, ...]) -> list[tuple[Hashable, Fragment, Rows, str]]:
        rows: dict[Hashable, Rows] = {}
        fragments: dict[Hashable, Fragment] = {}
        for row, record in enumerate(self._records):
            for fragment in _fragments(record, fields):
                key = tuple(map(_known_by, fragment.values()))
                rows[key] = rows.get(key, 0) | 1 << row
                fragments.setdefault(key, fragment)
        return [
            (key, fragments[key], found, _folded_text(fragments[key]))
            for key, found in rows.items()
        ]


def _fragments(record: Fragment, fields: tuple[str, ...]) -> Iterator[Fragment]:
    """The parts of a record that a matcher's verdict hangs on: true when it is of any of them."""
    if fields == (KEYWORD,):
        for value in record.values():
            yield {"value": value}
    else:
        yield {name: values_at(record, name) for name in fields}


def _folded_text(fragment: Fragment) -> str:
    """Every text in the fragment's first field, one after the other, in folded case."""
    return "\0".join(_texts(next(iter(fragment.values())))).casefold()


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    else:
        yield text_of(value) or ""


@cache
def _needed(matcher: Matcher) -> tuple[str, ...]:
    """Folded texts of which one is in every value that matches; none: nothing is known."""
    if matcher.operator not in _IN_THE_TEXT:
        return ()
    values = tuple(value.casefold() for value in matcher.values)
    return values if all(values) else ()


def _known_by(value: object) -> Hashable:
    """Equal for values that no matcher tells apart."""
    if isinstance(value, list):
        return tuple(map(_known_by, value))
    return repr(value) if isinstance(value, dict) else text_of(value)
