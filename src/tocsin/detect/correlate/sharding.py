"""Which of several correlators keeps a group, so that together they find what one would."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tocsin.detect.correlate.batch_reading import ReadBatch
from tocsin.detect.correlate.rule_plan import RulePlan
from tocsin.detect.correlate.taking import Found
from tocsin.detect.correlate.text_hash import hash_of, mixed
from tocsin.detect.rules.stateful_rule import CorrelationRule
from tocsin.model.identifier import repeatable_id


@dataclass(frozen=True, slots=True)
class Shard:
    """The part ``index`` (from 0) of ``of`` parts; all parts are given all events.

    Limits are of each part. Memory saved by one part is of no use to another, nor to the same
    index of another number of parts: such rules start afresh.
    """

    index: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.of:
            raise ValueError(f"shard {self.index} of {self.of}: count from 0 to {self.of - 1}")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a rule's groups are kept: by tenant, by the rules of its chain and by some fields.

    ``fields`` are those every rule of the chain groups by under the same name, so that what one
    finds of a group is where the next one keeps its own; without any, all the chain's groups of
    a tenant are kept together.
    """

    seed: int
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A shard, and where each rule's groups are kept."""

    shard: Shard
    placements: Mapping[str, Placement]

    def own(self, plan: RulePlan, read: ReadBatch, found: Found) -> Found:
        """The rows of groups that are kept here."""
        if self.shard.of == 1:
            return found
        place = self.placements[plan.id]
        keys = np.full(len(found.rows), hash_of(read.tenant), np.uint64)
        names = dict(zip(plan.group_names, found.fields.groups, strict=True))
        codes = found.group_codes()
        for name in place.fields:
            values = read.field(names[name])
            if values is not None:
                keys = mixed(keys, values.hashes[codes[names[name]]])
        placed = mixed(keys, np.uint64(place.seed)) % np.uint64(self.shard.of)
        return found.only(placed == np.uint64(self.shard.index))


def placements_of(plans: Mapping[str, RulePlan]) -> dict[str, Placement]:
    """Where each rule's groups are kept, by rule id."""
    chain_of = {rule_id: rule_id for rule_id in plans}

    def first_of(rule_id: str) -> str:
        while chain_of[rule_id] != rule_id:
            rule_id = chain_of[rule_id]
        return rule_id

    links = [
        (inner, plan)
        for plan in plans.values()
        for inner in plan.slots
        if inner in plans and inner != plan.id
    ]
    for inner, plan in links:
        one, other = sorted((first_of(inner), first_of(plan.id)))
        chain_of[other] = one
    shared: dict[str, set[str]] = {}
    for plan in plans.values():
        mine = shared.setdefault(first_of(plan.id), set(plan.group_names))
        mine &= set(plan.group_names)
    for inner, plan in links:
        shared[first_of(inner)] -= _renamed(plan, inner)
    return {
        rule_id: Placement(hash_of(first), tuple(sorted(shared[first])))
        for rule_id in plans
        for first in (first_of(rule_id),)
    }


def prints_within(
    prints: Mapping[str, str], placements: Mapping[str, Placement], shard: Shard
) -> dict[str, str]:
    """What memory depends on, where it is kept included; of a whole it is ``prints``."""
    if shard.of == 1:
        return dict(prints)
    return {
        rule_id: repeatable_id("shard", repr((one, placements[rule_id], shard)))
        for rule_id, one in prints.items()
    }


def _renamed(plan: RulePlan, inner: str) -> set[str]:
    """The names that mean another field in what the inner rule finds."""
    source = plan.source
    if not isinstance(source, CorrelationRule):
        return set()
    return {name for name, fields in source.aliases.items() if fields.get(inner, name) != name}
