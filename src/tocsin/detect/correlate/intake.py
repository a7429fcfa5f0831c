"""Turns a batch and its hits into what each rule takes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tocsin.detect.correlate.arrivals import Arrivals
from tocsin.detect.correlate.batch_reading import ReadBatch
from tocsin.detect.correlate.branching import Branches
from tocsin.detect.correlate.limits import Limits
from tocsin.detect.correlate.names import Names
from tocsin.detect.correlate.onward import Onward
from tocsin.detect.correlate.ordered_runs import Keys, Times
from tocsin.detect.correlate.rule_plan import RulePlan, Term, Way
from tocsin.detect.correlate.sharding import Part
from tocsin.detect.correlate.taking import Found, TakenFields, found_in
from tocsin.detect.correlate.text_hash import TextHashes, mixed
from tocsin.detect.matching.engine import Hit
from tocsin.model.event import EventBatch

_ORIGIN_SHIFT = 32


@dataclass(slots=True)
class Intake:
    """What one turn took in so far."""

    known_names: Names
    places: list[tuple[str, str]]
    hashes: TextHashes
    limits: Limits
    onward: Mapping[str, Sequence[Onward]]
    part: Part
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
                fields = TakenFields(plan.group_fields(rule_id), plan.value_fields(rule_id))
                named = plan.slots[rule_id][0] if plan.term is Term.RULE else 0
                members = self.limits.members
                found = found_in(read, plan, fields, hit_rows, named=named, members=members)
                lost = len(hit_rows) - int(np.count_nonzero(np.diff(found.rows, prepend=-1)))
                if lost and self.part.shard.index == 0:
                    self.ungrouped[plan.id] = self.ungrouped.get(plan.id, 0) + lost
                found = self.part.own(plan, read, found)
                pinned = found.group_codes()
                if plan.way is Way.NEW_TERMS:
                    pinned |= found.value_codes()
                branches = self._branches(plan, read, rule_id, hit_rows)
                onward = branches.columns(plan, found.rows, pinned)
                self._add(plan, slot, read, found, place_of, origins, onward)

    def origin(self, code: int) -> tuple[EventBatch, int]:
        """The batch and row an arrival's origin stands for."""
        return self.batches[code >> _ORIGIN_SHIFT], code & (1 << _ORIGIN_SHIFT) - 1

    def _branches(self, plan: RulePlan, read: ReadBatch, rule_id: str, hit_rows: Times) -> Branches:
        """What entries of a plan go on to; the groups there get their names."""
        members = self.limits.members

        def found(way: Onward) -> Found:
            fields = TakenFields(way.group_fields(rule_id), way.value_fields(rule_id))
            one = found_in(read, way.target, fields, hit_rows, members=members)
            self._name(way.target, read.tenant, one, *np.unique(one.keys, return_index=True))
            return one

        return Branches(self.onward, found, self.known_names, self.names, members)

    def _add(
        self,
        plan: RulePlan,
        slot: int,
        read: ReadBatch,
        found: Found,
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
            onward=onward,
        )
        self.arrivals.setdefault(plan.id, []).append(arrivals)
        if plan.steps > 1 or (rows[1:] == rows[:-1]).any():
            self.repeated.add(plan.id)

    def _name(self, plan: RulePlan, tenant: str, found: Found, keys: Keys, first: Times) -> None:
        """Keep the texts of groups not named before; ``first`` are rows of each."""
        mine = self.names
        listed = keys.tolist()
        unknown = np.flatnonzero(self.known_names.unknown(keys)).tolist()
        fresh = [n for n in unknown if listed[n] not in mine]
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
