"""Turns a batch and its hits into what each rule takes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tocsin.detect.correlate.arrivals import Arrivals, Floats
from tocsin.detect.correlate.batch_reading import FieldValues, Grouping, ReadBatch, joined
from tocsin.detect.correlate.limits import Limits
from tocsin.detect.correlate.onward import Onward
from tocsin.detect.correlate.ordered_runs import FINEST, Keys, Times
from tocsin.detect.correlate.rule_plan import RulePlan, Term, Way
from tocsin.detect.correlate.text_hash import TextHashes, mixed
from tocsin.detect.engine import Hit
from tocsin.model.event import EventBatch

_ORIGIN_SHIFT = 32


@dataclass(slots=True)
class Intake:
    """What one turn took in so far."""

    known_names: Mapping[int, str]
    places: list[tuple[str, str]]
    hashes: TextHashes
    limits: Limits
    onward: Mapping[str, Sequence[Onward]]
    names: dict[int, str] = field(default_factory=dict)
    batches: list[EventBatch] = field(default_factory=list)
    arrivals: dict[str, list[Arrivals]] = field(default_factory=dict)
    ungrouped: dict[str, int] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)

    def take(
        self,
        batch: EventBatch,
        hits: Sequence[Hit],
        takers: Mapping[str, Sequence[tuple[RulePlan, int]]],
    ) -> None:
        """``takers`` are the plans and slots that take the hits of a rule."""
        wanted = [hit for hit in hits if hit.rule.id in takers]
        if not wanted:
            return
        rows_of = {hit.rule.id: np.asarray(hit.rows, np.int64) for hit in wanted}
        union = np.zeros(len(batch), bool)
        for rows in rows_of.values():
            union[rows] = True
        chosen = np.flatnonzero(union)
        if 2 * len(chosen) > len(batch):
            chosen = np.arange(len(batch))
        read = ReadBatch(batch, chosen, self.hashes, self.limits.members)
        place_of = self._place_codes(batch, read)
        origins = (len(self.batches) << _ORIGIN_SHIFT) + chosen
        self.batches.append(batch)
        for rule_id, rows in rows_of.items():
            hit_rows = rows if len(chosen) == len(batch) else np.searchsorted(chosen, rows)
            for plan, slot in takers[rule_id]:
                fields = plan.group_fields(rule_id), plan.value_fields(rule_id)
                named = plan.slots[rule_id][0] if plan.term is Term.RULE else 0
                found = self._found(plan, fields, named, read, hit_rows)
                lost = len(hit_rows) - int(np.count_nonzero(np.diff(found.rows, prepend=-1)))
                if lost:
                    self.ungrouped[plan.id] = self.ungrouped.get(plan.id, 0) + lost
                onward = self._onward(plan, rule_id, read, hit_rows)
                self._add(plan, slot, read, found, place_of, origins, onward)

    def origin(self, code: int) -> tuple[EventBatch, int]:
        """The batch and row an arrival's origin stands for."""
        return self.batches[code >> _ORIGIN_SHIFT], code & (1 << _ORIGIN_SHIFT) - 1

    def _onward(self, plan: RulePlan, rule_id: str, read: ReadBatch, hit_rows: Times) -> Keys:
        """For each row what ``Arrivals.onward`` holds; of several groups or values the first."""
        ways = self.onward[plan.id]
        columns = np.zeros((len(read) if ways else 0, 2 * len(ways)), np.uint64)
        for at, way in enumerate(ways):
            fields = way.group_fields(rule_id), way.value_fields(rule_id)
            found = self._found(way.target, fields, 0, read, hit_rows)
            rows, first = np.unique(found.rows, return_index=True)
            columns[rows, 2 * at] = found.keys[first]
            number = way.target.term is Term.NUMBER
            measured = found.numbers.view(np.uint64) if number else found.terms
            columns[rows, 2 * at + 1] = measured[first]
            keys, first = np.unique(found.keys, return_index=True)
            self._name(way.target, read.tenant, found, keys, first)
        return columns

    def _found(
        self,
        plan: RulePlan,
        fields: tuple[tuple[str, ...], tuple[str, ...]],
        named: int,
        read: ReadBatch,
        hit_rows: Times,
    ) -> "_Found":
        """What a plan takes of rows by these fields, to group by and to measure."""
        grouping = read.grouping(fields[0])
        mask = np.zeros(len(read), bool)
        mask[hit_rows] = True
        at = np.flatnonzero(mask[grouping.rows])
        rows, keys = grouping.rows[at], grouping.keys[at]
        terms = np.full(len(at), named + 1, np.uint64)
        measured: list[tuple[FieldValues, Times]] = []
        numbers = np.zeros(len(at))
        if plan.term in (Term.VALUE, Term.NUMBER):
            for name in fields[1]:
                values = read.field(name)
                if values is None:
                    none = np.zeros(0, np.int64)
                    return _Found(none, keys[:0], terms[:0], numbers[:0], grouping, none, [])
                left, items = joined(rows, values.rows, len(read), self.limits.members)
                rows, keys, at = rows[left], keys[left], at[left]
                measured = [(one, codes[left]) for one, codes in measured]
                measured.append((values, values.codes[items]))
                if plan.term is Term.NUMBER:
                    terms, numbers = terms[left], values.numbers()[items]
                else:
                    terms = mixed(terms[left], values.item_hashes()[items])
                    numbers = numbers[left]
            if plan.term is Term.NUMBER:
                valid = ~np.isnan(numbers)
                rows, keys, at = rows[valid], keys[valid], at[valid]
                terms, numbers = terms[valid], finest(numbers[valid])
        return _Found(rows, keys, terms, numbers, grouping, at, measured)

    def _add(
        self,
        plan: RulePlan,
        slot: int,
        read: ReadBatch,
        found: "_Found",
        place_of: Times,
        origins: Times,
        onward: Keys,
    ) -> None:
        rows = found.rows
        if not len(rows):
            return
        named = found.keys
        if plan.way is Way.NEW_TERMS:
            named = mixed(found.keys, found.terms)
        distinct, first = np.unique(named, return_index=True)
        self._name(plan, read.tenant, found, distinct, first)
        arrivals = Arrivals(
            groups=found.keys,
            times=read.times[rows],
            id_high=read.id_high[rows],
            id_low=read.id_low[rows],
            places=place_of[read.source_codes[rows]],
            slots=np.full(len(rows), slot, np.int64),
            terms=found.terms,
            numbers=found.numbers,
            origins=origins[rows],
            kinds=np.zeros(len(rows), np.uint64),
            onward=onward[rows] if onward.size else np.zeros((len(rows), 0), np.uint64),
        )
        self.arrivals.setdefault(plan.id, []).append(arrivals)
        if plan.steps > 1 or (rows[1:] == rows[:-1]).any():
            self.repeated.add(plan.id)

    def _name(self, plan: RulePlan, tenant: str, found: "_Found", keys: Keys, first: Times) -> None:
        """Keep the texts of groups not named before; ``first`` are rows of each."""
        known, mine = self.known_names, self.names
        listed = keys.tolist()
        fresh = [n for n, key in enumerate(listed) if key not in known and key not in mine]
        if not fresh:
            return
        rows = first[fresh]
        columns = [
            [texts[code] for code in codes[found.at[rows]].tolist()]
            for codes, texts in zip(found.grouping.codes, found.grouping.texts, strict=True)
        ]
        if plan.way is Way.NEW_TERMS:
            columns += [
                [values.texts[code] for code in items[rows].tolist()]
                for values, items in found.values
            ]
        tenants = [tenant] * len(fresh)
        for n, texts in zip(fresh, zip(tenants, *columns, strict=True), strict=True):
            mine[listed[n]] = "\0".join(texts)

    def _place_codes(self, batch: EventBatch, read: ReadBatch) -> Times:
        codes = []
        for name in read.source_names:
            place = (batch.lane.id, name)
            if place not in self.places:
                self.places.append(place)
            codes.append(self.places.index(place))
        return np.array(codes, np.int64)


def finest(numbers: Floats) -> Floats:
    """Numbers taken to multiples of 2^-32, whose sums are exact in any order."""
    whole = np.floor(numbers)
    return np.asarray(whole + np.floor((numbers - whole) * FINEST + 0.5) / FINEST)


@dataclass(frozen=True, slots=True)
class _Found:
    rows: Times
    keys: Keys
    terms: Keys
    numbers: Floats
    grouping: Grouping
    at: Times
    values: list[tuple[FieldValues, Times]]
