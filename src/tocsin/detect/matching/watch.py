"""What is looked for in a lane's events: the witnesses of its rules, field by field."""

from collections.abc import Iterator, Mapping

import numpy as np

from tocsin.detect.matching.batch_view import BatchView
from tocsin.detect.matching.column import Column, Rows
from tocsin.detect.matching.compiled_store import CompiledStore
from tocsin.detect.matching.evaluator import Step, StepBuilder, holds
from tocsin.detect.matching.literal_scan import Literal, LiteralScan
from tocsin.detect.matching.witness import FieldLiteral, Witness
from tocsin.detect.rules.matcher import KEYWORD


class Watch:
    """Finds the candidate rows of rules, which are known by number.

    ``chosen`` is the witness of each rule (None: every row is a candidate). What ``before`` has
    ready for a field is taken over where nothing about the field has changed.
    """

    def __init__(
        self,
        chosen: Mapping[int, Witness | None],
        steps: StepBuilder,
        store: CompiledStore | None = None,
        before: "Watch | None" = None,
    ) -> None:
        literals: dict[str, dict[Literal, list[int]]] = {}
        probes: dict[Step, list[int]] = {}
        for number, witness in chosen.items():
            for atom in witness.atoms if witness else ():
                if isinstance(atom, FieldLiteral):
                    literals.setdefault(atom.field, {}).setdefault(atom.literal, []).append(number)
                else:
                    probes.setdefault(steps.build(atom.matcher), []).append(number)
        self.scans: dict[str, LiteralScan] = {}
        for field, wanted in literals.items():
            ready = before.scans.get(field) if before else None
            same = ready is not None and ready.wanted == wanted
            self.scans[field] = ready if ready and same else LiteralScan(wanted, store)
        self._probes = [(step, tuple(numbers)) for step, numbers in probes.items()]
        self._open = tuple(number for number, witness in chosen.items() if witness is None)

    def candidates(self, view: BatchView) -> dict[int, Rows]:
        """The rows of each rule that may match, ascending; rules without any are left out."""
        found: dict[int, list[Rows]] = {}
        for field, scan in self.scans.items():
            for column in _looked_through(field, scan, view):
                _add_rows(found, scan, column)
        for step, numbers in self._probes:
            rows = view.rows[holds(step, view, view.rows)]
            if len(rows):
                for number in numbers:
                    found.setdefault(number, []).append(rows)
        for number in self._open:
            found[number] = [view.rows]
        return {number: _union(rows) for number, rows in found.items()}


def _looked_through(field: str, scan: LiteralScan, view: BatchView) -> Iterator[Column]:
    if field == KEYWORD:
        text = view.folded_text(numbers=scan.may_be_number)
        if text is None or scan.may_occur_in(text):
            yield from view.leaves()
        return
    column = view.column(field)
    if column is not None:
        yield column


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
