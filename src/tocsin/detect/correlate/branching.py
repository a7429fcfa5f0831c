"""What an entry goes on to in the correlations behind its rule: often one group, of arrays several.

A finding is the event that made it, of which the fields it was grouped by have but the group's own
value: what a rule found of one member of an array says nothing about the others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from tocsin.detect.correlate.names import Names
from tocsin.detect.correlate.onward import Onward
from tocsin.detect.correlate.ordered_runs import Keys, Times
from tocsin.detect.correlate.rule_plan import RulePlan, Term
from tocsin.detect.correlate.taking import Found

SEVERAL = np.uint64(0x7FF8_B7A9_C4E5_0001)
"""Stands where a measure would: the entry goes on to the rows kept under its group's key.

As a number it is none (NaN), and a value's hash it is once in 2^64.
"""
MARK = "\0"  # no name of a group begins so: they begin with a tenant


@dataclass(frozen=True, slots=True)
class Branches:
    """Works out ``Arrivals.onward`` for the rows of a batch a match rule hit.

    ``found`` says what a way's target takes of them; ``names`` receives what entries with several
    ways on stand for, by key, so far as it is not ``known``; ``members`` bounds the ways of an event.
    """

    onward: Mapping[str, Sequence[Onward]]
    found: Callable[[Onward], Found]
    known: Names
    names: dict[int, str]
    members: int

    def columns(self, plan: RulePlan, rows: Times, codes: Mapping[str, Times]) -> Keys:
        """For each entry two columns for each way on: the group there and what is measured.

        ``rows`` are ascending, ``codes`` the values fields have for the entry, whatever else
        the event has of them.
        """
        ways = self.onward[plan.id]
        columns = np.zeros((len(rows), 2 * len(ways)), np.uint64)
        places = {way.target.id: at for at, way in enumerate(ways)}
        for at, way in enumerate(ways):
            if len(way.via) > 1 or not len(rows):
                continue
            found = self.found(way)
            entries, items, theirs = _paired(found, rows, codes, self.members)
            target = way.target
            pinned = {name: held[entries] for name, held in codes.items()} | {
                name: held[items] for name, held in theirs.items()
            }
            further = self.columns(target, rows[entries], pinned)
            number = target.term is Term.NUMBER
            measured = found.numbers.view(np.uint64) if number else found.terms
            heads = np.stack([found.keys[items], measured[items]], axis=1)
            there = np.concatenate([heads, further], axis=1)
            begins = np.flatnonzero(np.diff(entries, prepend=-1))
            counts = np.diff(np.append(begins, len(entries)))
            alone = begins[counts == 1]
            columns[entries[alone], 2 * at : 2 * at + 2] = there[alone, :2]
            for n, one in enumerate(self.onward[target.id]):
                to = places[one.target.id]
                if len(ways[to].via) > 1 and ways[to].via[1] is target:
                    pair = there[alone, 2 + 2 * n : 4 + 2 * n]
                    columns[entries[alone], 2 * to : 2 * to + 2] = pair
            for begin, count in zip(begins[counts > 1], counts[counts > 1], strict=True):
                key, text = _written(there[begin : begin + count])
                if self.known.get(key) is None:
                    self.names[key] = text
                columns[entries[begin], 2 * at : 2 * at + 2] = key, SEVERAL
        return columns


def branches_in(name: str | None, width: int) -> Keys | None:
    """The rows kept under such a name: group, measure and the columns onward from there."""
    if name is None or not name.startswith(MARK):
        return None
    return np.frombuffer(bytes.fromhex(name[len(MARK) :]), "<u8").reshape(-1, width)


def keys_within(name: str) -> list[int]:
    """The keys named by what is kept under such a name; none under the name of a group."""
    found = branches_in(name, 1)
    return [] if found is None else [int(key) for key in found[:, 0]]


def _written(rows: Keys) -> tuple[int, str]:
    rows = np.unique(rows, axis=0)
    content = np.ascontiguousarray(rows, "<u8").tobytes()
    key = int.from_bytes(blake2b(content, digest_size=8).digest())
    return key, MARK + content.hex()


def _paired(
    found: Found, rows: Times, codes: Mapping[str, Times], members: int
) -> tuple[Times, Times, dict[str, Times]]:
    """Pairs (entry, position in ``found``) of one event whose common fields have one value.

    By ascending entry; of an event's entries all get an equal share of ``members``. The third are
    the values of the fields the target groups by.
    """
    theirs = found.group_codes()
    measured = found.value_codes()
    of_entries, of_found = rows, found.rows
    for name, held in codes.items():
        for other in (one[name] for one in (theirs, measured) if name in one):
            most = int(max(held.max(initial=0), other.max(initial=0))) + 1
            together = np.concatenate([of_entries * most + held, of_found * most + other])
            ranks = np.unique(together, return_inverse=True)[1]
            of_entries, of_found = ranks[: len(rows)], ranks[len(rows) :]
    order = np.argsort(of_found, kind="stable")
    ordered = of_found[order]
    begins = np.searchsorted(ordered, of_entries)
    counts = np.searchsorted(ordered, of_entries, side="right") - begins
    siblings = np.searchsorted(rows, rows, side="right") - np.searchsorted(rows, rows)
    counts = np.minimum(counts, np.maximum(members // siblings, 1))
    entries = np.repeat(np.arange(len(rows)), counts)
    nth = np.arange(len(entries)) - (np.cumsum(counts) - counts)[entries]
    return entries, order[begins[entries] + nth], theirs
