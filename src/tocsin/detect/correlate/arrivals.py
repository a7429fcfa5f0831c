"""What a rule takes of a batch: one row for each event, group and value."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from tocsin.detect.correlate.ordered_runs import Keys, Times

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Columns of equal length, in any order.

    ``groups`` are hashes of tenant and group-by values, ``times`` microseconds since 1970,
    ``id_high`` and ``id_low`` the event's UUID, ``places`` codes of lane and source, ``slots``
    positions in the rule's ``rules``, ``terms`` hashes of what is counted, ``numbers`` what is
    summed, ``origins`` where the event is in this turn (-1: nowhere). ``kinds``: 0 for
    an event, for a correlation's finding (an event of its own) what found it. ``onward`` has two columns
    for each correlation this rule's findings end up in: the group there (0: none) and what is
    measured there.
    """

    groups: Keys
    times: Times
    id_high: Keys
    id_low: Keys
    places: Times
    slots: Times
    terms: Keys
    numbers: Floats
    origins: Times
    kinds: Keys
    onward: Keys

    def __len__(self) -> int:
        return len(self.times)

    def at(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Arrivals":
        return Arrivals(*(getattr(self, name)[rows] for name in _NAMES))

    @classmethod
    def of(cls, parts: Sequence["Arrivals"]) -> "Arrivals":
        """All of them, one after the other."""
        parts = [part for part in parts if len(part)] or parts[:1]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            empty: list[npt.NDArray[Any]] = [np.zeros(0, kind) for kind in _KINDS]
            empty[-1] = empty[-1].reshape(0, 0)
            return cls(*empty)
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in _NAMES))


_NAMES = tuple(one.name for one in fields(Arrivals))
_KINDS = ("u8", "i8", "u8", "u8", "i8", "i8", "u8", "f8", "i8", "u8", "u8")
