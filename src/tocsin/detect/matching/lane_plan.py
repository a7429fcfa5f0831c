"""How one lane's rules are run: witnesses to look for, then conditions on the candidates."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import thread_time

import numpy as np
import pyarrow as pa
import structlog

from tocsin.detect.matching.batch_view import BatchView
from tocsin.detect.matching.column import Rows
from tocsin.detect.matching.column_reader import ColumnReader
from tocsin.detect.matching.compiled_store import CompiledStore
from tocsin.detect.matching.drift import Drift
from tocsin.detect.matching.evaluator import Step, StepBuilder, holds
from tocsin.detect.matching.hit_rate import SAMPLE_ROWS, HitRates
from tocsin.detect.matching.vocabulary import Mask
from tocsin.detect.matching.watch import Watch
from tocsin.detect.matching.witness import FieldLiteral, Witness, choose_witness
from tocsin.detect.matching.witness_book import WitnessBook
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import KEYWORD, fields_in, matchers_in

_WORTH_IT = 0.9
"""A new choice must be this much cheaper than the old to be compiled."""
_MANY_ROWS = 2048
"""So many rows are worth telling apart by their values first."""
_MOSTLY = 0.8
"""When so many of the choices of an earlier run are for today's rules, it has been learned."""

FirstChoice = Callable[[SigmaMatchRule], Witness | None]

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Tools:
    """What the lanes of an engine share."""

    steps: StepBuilder
    first_choice: FirstChoice
    fingerprint: Callable[[SigmaMatchRule], str]
    store: CompiledStore | None = None
    cpu_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """What looking at each rule's candidates has cost, by rule id; looking for them is shared."""
    held: set[str] = field(default_factory=set)
    """Ids of rules that pause: their candidates are not looked at."""


class LanePlan:
    """The rules that ask for one lane's log source, compiled for its events.

    Ready at once: by the choices of an earlier run, or by a rule of thumb until enough events
    have come to learn from. Of ``before``, the same lane's plan for other rules, everything is
    taken over that the changed rules leave as it was; ``before`` must not be used any more.
    """

    def __init__(
        self,
        lane_id: str,
        rules: Sequence[SigmaMatchRule],
        tools: Tools,
        before: "LanePlan | None" = None,
    ) -> None:
        self._lane_id = lane_id
        self._tools = tools
        self._rules = _numbered(rules, before)
        self._rank = {number: rank for rank, number in enumerate(self._rules)}
        self._steps: dict[int, Step] = {}
        self._fields: dict[int, tuple[str, ...] | None] = {}
        book = before._book if before else None
        self._book: WitnessBook = book or WitnessBook(lane_id, tools.store, tools.fingerprint)
        self._reader: ColumnReader = before._reader if before else ColumnReader()
        self._rates: HitRates = before._rates if before else HitRates()
        self._drift: Drift = before._drift if before else Drift()
        self._chosen = self._carried(before) if before else self._remembered()
        ready = before._watch if before else None
        self._watch: Watch = Watch(self._chosen, tools.steps, tools.store, ready)
        self._watch_is_new = True

    @property
    def rules(self) -> list[SigmaMatchRule]:
        """The rules it runs, in order."""
        return list(self._rules.values())

    def matches(
        self, native: pa.RecordBatch, *, without_keywords: bool = False
    ) -> Iterator[tuple[SigmaMatchRule, Rows]]:
        """Each rule that matches with its rows, ascending, in the order of the rules."""
        view = BatchView(native, self._reader, without_keywords=without_keywords)
        if self._drift.calls_for_learning(self._rates.rows, native.num_rows):
            self._learn(view)
        if self._watch_is_new:
            self._reader.keep_hits(self._watch.scans.values())
            self._watch_is_new = False
        candidates = self._watch.candidates(view)
        cpu_s, held = self._tools.cpu_s, self._tools.held
        self._drift.saw(native.num_rows, sum(len(rows) for rows in candidates.values()))
        for number in sorted(candidates, key=self._rank.__getitem__):
            if self._rules[number].rule.id in held:
                continue
            rows = candidates[number]
            began = thread_time()
            passed = self._passed(number, view, rows)
            cpu_s[self._rules[number].rule.id] += thread_time() - began
            if passed.any():
                yield self._rules[number], rows[passed]

    def _passed(self, number: int, view: BatchView, rows: Rows) -> Mask:
        """Of each candidate row whether the rule matches; equal rows are looked at once."""
        step = self._step(number)
        if len(rows) < _MANY_ROWS:
            return holds(step, view, rows)
        fields = self._fields_of(number)
        groups = None if fields is None else view.groups(fields)
        if groups is None or len(groups[0]) * 2 > len(rows):
            return holds(step, view, rows)
        some_rows, group_of = groups
        return holds(step, view, some_rows)[group_of[rows]]

    def _fields_of(self, number: int) -> tuple[str, ...] | None:
        """The fields the rule's condition reads; None when it reads all (keywords)."""
        if number not in self._fields:
            found = fields_in(self._rules[number].condition)
            self._fields[number] = None if KEYWORD in found else tuple(sorted(found))
        return self._fields[number]

    def candidate_rows(self, native: pa.RecordBatch) -> dict[str, Rows]:
        """The rows of the batch each rule is evaluated on, by rule id: for benchmarks."""
        found = self._watch.candidates(BatchView(native, self._reader))
        return {self._rules[number].rule.id: rows for number, rows in found.items()}

    def _step(self, number: int) -> Step:
        step = self._steps.get(number)
        if step is None:
            step = self._steps[number] = self._tools.steps.build(self._rules[number].condition)
        return step

    def _remembered(self) -> dict[int, Witness | None]:
        chosen: dict[int, Witness | None] = {}
        known = 0
        for number, rule in self._rules.items():
            try:
                chosen[number] = self._book.witness(rule)
                known += 1
            except (KeyError, ValueError, TypeError, IndexError):
                chosen[number] = self._tools.first_choice(rule)
        if self._book.learned and known >= _MOSTLY * len(chosen):
            self._drift.was_settled_before()
        elif known < len(chosen):
            self._book.keep(chosen, self._rules, learned=False)
        return chosen

    def _carried(self, before: "LanePlan") -> dict[int, Witness | None]:
        chosen: dict[int, Witness | None] = {}
        for number, rule in self._rules.items():
            old = before._rules.get(number)
            if old is not None and old.condition == rule.condition:
                chosen[number] = before._chosen[number]
                if number in before._steps:
                    self._steps[number] = before._steps[number]
            elif self._rates.rows:
                chosen[number] = choose_witness(rule.condition, self._rates.rate)
            else:
                chosen[number] = self._tools.first_choice(rule)
        return chosen

    def _learn(self, view: BatchView) -> None:
        step = max(1, len(view.rows) // SAMPLE_ROWS)
        sample = view.rows[::step][:SAMPLE_ROWS]
        fields = {m.field for rule in self._rules.values() for m in matchers_in(rule.condition)}
        texts = {field: list(_sampled(view, field, sample)) for field in fields}
        self._rates.learn(texts, len(sample))
        rate = self._rates.rate
        chosen = {n: choose_witness(rule.condition, rate) for n, rule in self._rules.items()}
        better = self._cost(chosen) <= _WORTH_IT * self._cost(self._chosen)
        if better:
            self._chosen = chosen
            self._watch = Watch(chosen, self._tools.steps, self._tools.store, self._watch)
            self._watch_is_new = True
        if better or not self._book.learned:
            self._book.keep(self._chosen, self._rules, learned=True)
        _log.debug("lane planned", lane=self._lane_id, rules=len(self._rules), changed=better)

    def _cost(self, chosen: Mapping[int, Witness | None]) -> float:
        """What the choice costs an event by what is known today."""
        rate = self._rates.rate
        return sum(
            rate(atom)
            for witness in chosen.values()
            for atom in (witness.atoms if witness else ())
            if isinstance(atom, FieldLiteral)
        )


def _numbered(
    rules: Sequence[SigmaMatchRule], before: LanePlan | None
) -> dict[int, SigmaMatchRule]:
    """The rules by number: the one they had before, the next free one for those that are new."""
    known = {rule.rule.id: number for number, rule in before._rules.items()} if before else {}
    free = max(known.values(), default=-1) + 1
    numbered = {}
    for rule in rules:
        number = known.get(rule.rule.id)
        if number is None:
            number, free = free, free + 1
        numbered[number] = rule
    return numbered


def _sampled(view: BatchView, field: str, sample: Rows) -> Iterator[str]:
    """The folded texts of a field in the sampled rows."""
    if field == KEYWORD:
        columns = view.leaves()
    else:
        column = view.column(field)
        columns = [] if column is None else [column]
    for column in columns:
        codes = [code for row in column.values_by_row(sample) for code in row]
        texts = column.vocabulary.texts(np.array(codes, np.int64), folded=True)
        yield from (text for text in texts if text is not None)
