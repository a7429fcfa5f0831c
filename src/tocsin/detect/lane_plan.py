"""How one lane's rules are run: witnesses to look for, then conditions on the candidates."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import structlog

from tocsin.detect.batch_view import BatchView
from tocsin.detect.column import Column, Rows
from tocsin.detect.column_reader import ColumnReader
from tocsin.detect.drift import Drift
from tocsin.detect.evaluator import Step, StepBuilder, holds
from tocsin.detect.hit_rate import SAMPLE_ROWS, HitRates
from tocsin.detect.literal_scan import Literal, LiteralScan
from tocsin.detect.match_rule import SigmaMatchRule
from tocsin.detect.matcher import KEYWORD, matchers_in
from tocsin.detect.patience import Patience
from tocsin.detect.witness import FieldLiteral, Witness, choose_witness

_WORTH_IT = 0.9
"""A new choice must be this much cheaper than the old to be compiled."""

_log = structlog.get_logger()


class LanePlan:
    """The rules that ask for one lane's log source, compiled for its events."""

    def __init__(self, lane_id: str, rules: Sequence[SigmaMatchRule]) -> None:
        self._lane_id = lane_id
        self.rules = tuple(rules)
        self._reader = ColumnReader()
        self._builder = StepBuilder(Patience())
        self._steps: dict[int, Step] = {}
        self._rates = HitRates()
        self._drift = Drift()
        self._chosen: list[Witness | None] = []
        self._scans: dict[str, LiteralScan] = {}
        self._probes: list[tuple[Step, tuple[int, ...]]] = []
        self._open: tuple[int, ...] = ()

    def matches(self, native: pa.RecordBatch) -> Iterator[tuple[SigmaMatchRule, Rows]]:
        """Each rule that matches with its rows, ascending."""
        view = BatchView(native, self._reader)
        if self._drift.calls_for_learning(self._rates.rows):
            self._learn(view)
        candidates = self._candidates(view)
        self._drift.saw(native.num_rows, sum(len(rows) for rows in candidates.values()))
        for number, rows in candidates.items():
            passed = holds(self._step(number), view, rows)
            if passed.any():
                yield self.rules[number], rows[passed]

    def _step(self, number: int) -> Step:
        step = self._steps.get(number)
        if step is None:
            step = self._steps[number] = self._builder.build(self.rules[number].condition)
        return step

    def _candidates(self, view: BatchView) -> dict[int, Rows]:
        found: dict[int, list[Rows]] = {}
        for field, scan in self._scans.items():
            for column in self._looked_through(field, scan, view):
                _add_rows(found, scan, column)
        for step, numbers in self._probes:
            rows = view.rows[holds(step, view, view.rows)]
            if len(rows):
                for number in numbers:
                    found.setdefault(number, []).append(rows)
        for number in self._open:
            found[number] = [view.rows]
        return {number: _union(found[number]) for number in sorted(found)}

    def _looked_through(self, field: str, scan: LiteralScan, view: BatchView) -> list[Column]:
        if field == KEYWORD:
            text = view.folded_text(numbers=scan.may_be_number)
            nowhere = text is not None and not scan.may_occur_in(text)
            return [] if nowhere else view.leaves()
        column = view.column(field)
        return [] if column is None else [column]

    def _learn(self, view: BatchView) -> None:
        step = max(1, len(view.rows) // SAMPLE_ROWS)
        sample = view.rows[::step][:SAMPLE_ROWS]
        fields = {m.field for rule in self.rules for m in matchers_in(rule.condition)}
        texts = {field: list(_sampled(view, field, sample)) for field in fields}
        self._rates.learn(texts, len(sample))
        chosen = [choose_witness(rule.condition, self._rates.rate) for rule in self.rules]
        if self._chosen and self._cost(chosen) > _WORTH_IT * self._cost(self._chosen):
            return
        self._chosen = chosen
        self._look_for(chosen)
        self._reader.forget_hits()
        _log.debug("lane planned", lane=self._lane_id, rules=len(self.rules))

    def _cost(self, chosen: Sequence[Witness | None]) -> float:
        """What the choice costs an event by what is known today."""
        rate = self._rates.rate
        return sum(
            rate(atom)
            for witness in chosen
            for atom in (witness.atoms if witness else ())
            if isinstance(atom, FieldLiteral)
        )

    def _look_for(self, chosen: Sequence[Witness | None]) -> None:
        literals: dict[str, dict[Literal, list[int]]] = {}
        probes: dict[Step, list[int]] = {}
        for number, witness in enumerate(chosen):
            for atom in witness.atoms if witness else ():
                if isinstance(atom, FieldLiteral):
                    wanted = literals.setdefault(atom.field, {})
                    wanted.setdefault(atom.literal, []).append(number)
                else:
                    probes.setdefault(self._builder.build(atom.matcher), []).append(number)
        self._scans = {field: LiteralScan(wanted) for field, wanted in literals.items()}
        self._probes = [(step, tuple(numbers)) for step, numbers in probes.items()]
        self._open = tuple(n for n, witness in enumerate(chosen) if witness is None)


def _add_rows(found: dict[int, list[Rows]], scan: LiteralScan, column: Column) -> None:
    numbers, codes = scan.hits(column.vocabulary, column.present_codes())
    if not len(numbers):
        return
    order = np.argsort(numbers, kind="stable")
    distinct, starts = np.unique(numbers[order], return_index=True)
    for number, mine in zip(distinct.tolist(), np.split(codes[order], starts[1:]), strict=True):
        rows = column.rows_with(mine)
        if len(rows):
            found.setdefault(number, []).append(rows)


def _union(rows: list[Rows]) -> Rows:
    return rows[0] if len(rows) == 1 else np.unique(np.concatenate(rows))


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
