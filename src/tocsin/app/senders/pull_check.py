"""Tries a pull once, without taking anything: does it connect, and what comes first?"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from tocsin.app.home.shipped import open_normalizer
from tocsin.app.senders.pulls import UNITS, open_pull
from tocsin.ingest.decode import decode
from tocsin.ingest.errors import IngestError
from tocsin.ingest.pull.pull import PullError
from tocsin.ingest.pull.pull_settings import IntakeSettings, PullSettings
from tocsin.model.record import Origin, RawBatch
from tocsin.normalize.normalizer import Normalizer

_LOOKED_AT = 3
_UNTAKEN: Mapping[str, Any] = {"visibility_s": 0, "wait_s": 2, "start": "earliest"}
"""So that what is only looked at stays where it is for the pull itself."""


@dataclass(slots=True)
class Checked:
    """What a try came to; ``error`` is empty when it could connect.

    ``place`` is empty when nothing waits there. ``lanes`` counts what the first records were
    recognized as, ``problems`` is why others could not be read.
    """

    name: str
    error: str = ""
    lag: int | None = None
    unit: str = ""
    place: str = ""
    lanes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def find_pull(settings: PullSettings, name: str) -> tuple[str, IntakeSettings]:
    """The kind and settings of ``s3/trail``, or ``trail`` where that is one only."""
    every = {f"{kind}/{one.name}": (kind, one) for kind in UNITS for one in getattr(settings, kind)}
    found = [full for full, (_, one) in every.items() if name in (full, one.name)]
    if len(found) != 1:
        known = ", ".join(every) or "none; add a table [[pull.s3]] to the file given with --config"
        raise IngestError(f"{len(found)} pulls are called {name!r}; configured are {known}")
    return every[found[0]]


def check_pull_once(
    kind: str, settings: IntakeSettings, wait_s: float, home: Path | None = None
) -> Checked:
    """Connect, and look at what comes within ``wait_s``; nothing is confirmed or kept.

    One's own mappings in ``home`` count.
    """
    told = Checked(f"{kind}/{settings.name}", unit=UNITS[kind])
    changes = {name: value for name, value in _UNTAKEN.items() if hasattr(settings, name)}
    if hasattr(settings, "group"):
        changes["group"] = f"{settings.group}-check"
    tried = settings.model_copy(update=changes)
    try:
        pulled = open_pull(kind, tried, tried.source or told.name, _Nowhere())
        try:
            told.lag = pulled.lag()
            deadline = time.monotonic() + wait_s
            portion = pulled.next()
            while portion is None and time.monotonic() < deadline:
                time.sleep(min(pulled.idle_s, max(0.0, deadline - time.monotonic())))
                portion = pulled.next()
            if portion is not None:
                told.place = portion.place
                _look(told, list(islice(portion.cuts, _LOOKED_AT)), open_normalizer(home))
        finally:
            pulled.close()
    except PullError as error:
        told.error = str(error)
    return told


class _Nowhere:
    """A try begins at the start and leaves no position."""

    def load(self) -> Mapping[str, Any]:
        return {}

    def store(self, position: Mapping[str, Any]) -> None:
        """Nothing was taken."""


def _look(told: Checked, cuts: list[Any], normalizer: Normalizer) -> None:
    now = datetime.now(UTC)
    for number, cut in enumerate(cuts):
        if not isinstance(cut, RawBatch):
            told.problems.append(f"{cut.place}: {cut.reason}")
            continue
        decoded = decode(cut)
        told.problems += [f"{one.place}: {one.reason}" for one in decoded.unreadable]
        origin = Origin(cut.source, now, "check", number, connector=cut.connector)
        for batch in normalizer.normalize(decoded, origin):
            told.lanes[batch.lane.id] += len(batch)
