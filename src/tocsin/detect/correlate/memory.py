"""All that correlation remembers, as one immutable value."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from tocsin.detect.correlate.branching import MARK, keys_within
from tocsin.detect.correlate.names import Names
from tocsin.detect.correlate.ordered_runs import Keys, among, distinct_of
from tocsin.detect.correlate.rule_state import RuleState
from tocsin.detect.correlate.watermark import Progress


@dataclass(frozen=True, slots=True)
class Memory:
    """Rules' states by rule id, and what they share.

    ``names`` are the texts of groups by their hash, joined by NUL, the tenant first (and, by key,
    what an entry with several ways on goes to: ``branching``); ``places`` the lanes and sources
    entries point to.
    """

    rules: Mapping[str, RuleState] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    names: Names = field(default_factory=Names)
    places: tuple[tuple[str, str], ...] = ()

    def with_rules(self, rules: Mapping[str, RuleState]) -> "Memory":
        return replace(self, rules=rules)

    def with_names(self, fresh: Mapping[int, str]) -> "Memory":
        """With more names; now and then those no longer of use are dropped."""
        names = self.names.added(fresh)
        if fresh and len(names) > 2 * max(names.swept, _FEW):
            names = names.only(self._live(names))
        return replace(self, names=names)

    def _live(self, names: Names) -> Keys:
        """Keys that something remembered points to."""
        groups = self._groups()
        branching = names.beginning_with(MARK)
        waiting = [key for key in branching if among(np.array([key], np.uint64), groups)[0]]
        inner: set[int] = set()
        while waiting:
            keys = keys_within(branching.get(waiting.pop(), ""))
            waiting += (one for one in keys if one not in inner)
            inner.update(keys)
        return distinct_of(np.concatenate([groups, np.fromiter(inner, np.uint64, len(inner))]))

    def _groups(self) -> Keys:
        parts = [np.zeros(0, np.uint64)]
        for state in self.rules.values():
            events = (state.events.distinct_keys(), state.terms.distinct_keys(), *_onward(state))
            parts += [*events, state.episodes.groups()]
        return distinct_of(np.concatenate(parts))


_FEW = 10_000
"""So many names are kept, of use or not."""


def _onward(state: RuleState) -> list[Keys]:
    """Groups of other rules that entries will end up in."""
    found = []
    for run in (*state.events.runs, *state.terms.runs):
        found += [run.columns[name] for name in run.columns if name.startswith("onward")]
    return found
