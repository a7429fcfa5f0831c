"""All that correlation remembers, as one immutable value."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from tocsin.detect.correlate.branching import keys_within
from tocsin.detect.correlate.ordered_runs import Keys, distinct_of
from tocsin.detect.correlate.rule_state import RuleState
from tocsin.detect.correlate.watermark import Progress


@dataclass(frozen=True, slots=True)
class Memory:
    """Rules' states by rule id, and what they share.

    ``names`` are the texts of groups by their hash, joined by NUL, the tenant first (and, by key,
    what an entry with several ways on goes to: ``branching``), ``named`` their hashes in pieces as they were added; ``fresh`` are names of a turn not kept yet, to be
    added to ``names``; ``places`` the lanes and sources entries point to.
    """

    rules: Mapping[str, RuleState] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    names: dict[int, str] = field(default_factory=dict)
    named: Mapping[int, Keys] = field(default_factory=dict)
    fresh: Mapping[int, str] = field(default_factory=dict)
    places: tuple[tuple[str, str], ...] = ()

    def with_rules(self, rules: Mapping[str, RuleState]) -> "Memory":
        return replace(self, rules=rules)

    def with_names(self, fresh: Mapping[int, str]) -> "Memory":
        """With names to be added; now and then those no longer of use are dropped."""
        if not fresh:
            return self
        number = max(self.named, default=-1) + 1
        if len(self.named) < _PIECES:
            keys = np.fromiter(fresh.keys(), np.uint64, len(fresh))
            return replace(self, named={**self.named, number: keys}, fresh=fresh)
        live = set(self._groups().tolist())
        waiting = list(live)
        while waiting:
            key = waiting.pop()
            inner = keys_within(fresh.get(key) or self.names.get(key, ""))
            waiting += (one for one in inner if one not in live)
            live.update(inner)
        names = {group: name for group, name in self.names.items() if group in live}
        names.update((group, name) for group, name in fresh.items() if group in live)
        keys = np.fromiter(names.keys(), np.uint64, len(names))
        return replace(self, names=names, named={number: keys})

    def kept(self) -> "Memory":
        """Once the turn is kept: with its names among the others (these are added in place)."""
        self.names.update(self.fresh)
        return replace(self, fresh={})

    def _groups(self) -> Keys:
        parts = [np.zeros(0, np.uint64)]
        for state in self.rules.values():
            events = (state.events.distinct_keys(), state.terms.distinct_keys(), *_onward(state))
            parts += [*events, state.episodes.groups()]
        return distinct_of(np.concatenate(parts))


_PIECES = 32
"""Pieces of names after which they are made one."""


def _onward(state: RuleState) -> list[Keys]:
    """Groups of other rules that entries will end up in."""
    found = []
    for run in (*state.events.runs, *state.terms.runs):
        found += [run.columns[name] for name in run.columns if name.startswith("onward")]
    return found
