"""What a plan takes of rows of a batch: the group of each, and what is measured of it."""

from dataclasses import dataclass

import numpy as np

from tocsin.detect.correlate.arrivals import Floats
from tocsin.detect.correlate.batch_reading import FieldValues, Grouping, ReadBatch, joined
from tocsin.detect.correlate.ordered_runs import FINEST, Keys, Times
from tocsin.detect.correlate.rule_plan import RulePlan, Term
from tocsin.detect.correlate.text_hash import mixed


@dataclass(frozen=True, slots=True)
class TakenFields:
    """The fields of an event that are grouped by and those that are measured."""

    groups: tuple[str, ...]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One row for each event, group and value, by ascending row of the batch.

    ``at`` are positions in ``grouping``, ``values`` the measured fields and which of their values.
    """

    fields: TakenFields
    rows: Times
    keys: Keys
    terms: Keys
    numbers: Floats
    grouping: Grouping
    at: Times
    values: list[tuple[FieldValues, Times]]

    def group_codes(self) -> dict[str, Times]:
        """By field grouped by: which of its values each row has."""
        pairs = zip(self.fields.groups, self.grouping.codes, strict=True)
        return {name: codes[self.at] for name, codes in pairs}

    def value_codes(self) -> dict[str, Times]:
        """By field measured: which of its values each row has."""
        pairs = zip(self.fields.values, self.values, strict=True)
        return {name: codes for name, (_, codes) in pairs}

    def only(self, kept: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> "Found":
        """These rows alone."""
        if kept.all():
            return self
        return Found(
            self.fields,
            self.rows[kept],
            self.keys[kept],
            self.terms[kept],
            self.numbers[kept],
            self.grouping,
            self.at[kept],
            [(values, codes[kept]) for values, codes in self.values],
        )


def found_in(
    read: ReadBatch,
    plan: RulePlan,
    fields: TakenFields,
    hit_rows: Times,
    *,
    named: int = 0,
    members: int,
) -> Found:
    """What a plan takes of rows by these fields; ``named`` is the first slot of the rule hit."""
    grouping = read.grouping(fields.groups)
    mask = np.zeros(len(read), bool)
    mask[hit_rows] = True
    at = np.flatnonzero(mask[grouping.rows])
    rows, keys = grouping.rows[at], grouping.keys[at]
    terms = np.full(len(at), named + 1, np.uint64)
    measured: list[tuple[FieldValues, Times]] = []
    numbers = np.zeros(len(at))
    if plan.term not in (Term.VALUE, Term.NUMBER):
        return Found(TakenFields(fields.groups, ()), rows, keys, terms, numbers, grouping, at, [])
    for name in fields.values:
        values = read.field(name)
        if values is None:
            none = np.zeros(0, np.int64)
            empty = TakenFields(fields.groups, ())
            return Found(empty, none, keys[:0], terms[:0], numbers[:0], grouping, none, [])
        left, items = joined(rows, values.rows, len(read), members)
        rows, keys, at = rows[left], keys[left], at[left]
        measured = [(one, codes[left]) for one, codes in measured]
        measured.append((values, values.codes[items]))
        if plan.term is Term.NUMBER:
            terms, numbers = terms[left], values.numbers()[items]
        else:
            terms = mixed(terms[left], values.item_hashes()[items])
            numbers = numbers[left]
    found = Found(fields, rows, keys, terms, numbers, grouping, at, measured)
    if plan.term is not Term.NUMBER:
        return found
    found = found.only(~np.isnan(numbers))
    found.numbers[:] = finest(found.numbers)
    return found


def finest(numbers: Floats) -> Floats:
    """Numbers taken to multiples of 2^-32, whose sums are exact in any order."""
    whole = np.floor(numbers)
    return np.asarray(whole + np.floor((numbers - whole) * FINEST + 0.5) / FINEST)
