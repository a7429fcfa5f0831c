"""Stored history for reading: the stretches it is gone through in, beside a running server or not."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tocsin.app.home.history_opening import open_history
from tocsin.app.home.stores import has_state
from tocsin.detect.overlays.overlay_book import OverlayBook
from tocsin.detect.rules.overlay import Overlay
from tocsin.model.lane import Lane
from tocsin.store.engines.vaults.folder_blobs import FolderBlobs
from tocsin.store.ports import Segment, StateStore
from tocsin.triage.finding_events import FINDING_LANE

STRETCH_ROWS = 500_000
NOT_EVALUATED = frozenset({FINDING_LANE.id})
"""Lanes no rule is run over: findings are made by rules."""
_STEP = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of history by event time (``start <= time < end``); ``rows`` about how many events."""

    start: datetime
    end: datetime
    rows: int


def overlays_kept(home: Path, state: StateStore) -> dict[str, Overlay]:
    """What people decided on rules, by rule id."""
    book = OverlayBook(FolderBlobs(home / "blobs"))
    with state.read() as tx:
        return {one.overlay.rule_id: one.overlay for one in book.all(tx)}


def decided_on(home: Path) -> dict[str, Overlay]:
    """What people decided, by rule id; nothing when there is no data folder."""
    if not has_state(home):
        return {}
    with open_history(home) as (_, state):
        return overlays_kept(home, state)


def stretches(
    segments: Iterable[Segment], start: datetime, end: datetime, rows: int = STRETCH_ROWS
) -> list[Stretch]:
    """``start`` to ``end`` cut where about ``rows`` events lie in between; none when it is empty."""
    found: list[Stretch] = []
    begun, inside = start, 0
    for segment in sorted(segments, key=lambda one: one.first_time):
        cut = segment.first_time
        if inside and inside + segment.rows > rows and begun < cut < end:
            found.append(Stretch(begun, cut, inside))
            begun, inside = cut, 0
        inside += _share(segment, start, end)
    if inside or found:
        found.append(Stretch(begun, end, inside))
    return found


def extent(segments: Iterable[Segment]) -> tuple[datetime, datetime] | None:
    """From the first event to just after the last one; None when there are none."""
    listed = list(segments)
    if not listed:
        return None
    first = min(segment.first_time for segment in listed)
    return first, max(segment.last_time for segment in listed) + _STEP


def lanes_by_id(lanes: Iterable[Lane]) -> Callable[[str], Lane]:
    """Finds a lane by the id it is stored under; one that is gone answers for no log source."""
    known = {lane.id: lane for lane in lanes}

    def lane_of(lane_id: str) -> Lane:
        lane = known.get(lane_id)
        if lane is None:
            connector, _, shape = lane_id.partition(".")
            lane = known[lane_id] = Lane(connector, shape, product="unknown")
        return lane

    return lane_of


def _share(segment: Segment, start: datetime, end: datetime) -> int:
    """About how many of the segment's events lie in the range."""
    whole = (segment.last_time - segment.first_time).total_seconds()
    if whole <= 0:
        return segment.rows
    inside = (min(end, segment.last_time) - max(start, segment.first_time)).total_seconds()
    return max(1, round(segment.rows * min(1.0, max(0.0, inside / whole))))
