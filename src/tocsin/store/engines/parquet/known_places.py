"""Remembers where events that were shown lie, so that opening one reads one row of one segment."""

import threading
from collections import OrderedDict
from collections.abc import Sequence

from tocsin.store.engines.parquet.event_paging import Found
from tocsin.store.ports import Segment
from tocsin.store.query import StoredEvent

_MOST = 20_000


class KnownPlaces:
    """Places and lanes by event id.

    A segment never changes, so a place holds while its segment counts. Time and lane hold after
    it was merged, too: they tell in which of the files with such ids the event is.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._known: OrderedDict[str, tuple[Found, str]] = OrderedDict()

    def note(self, places: Sequence[Found], events: Sequence[StoredEvent]) -> None:
        """Keep the latest places of these events, and forget those noted longest ago."""
        lanes = {event.event_id: event.lane for event in events}
        with self._guard:
            for place in places:
                if place.event_id in lanes:  # not so in a file that turned out to be damaged
                    self._known[place.event_id] = place, lanes[place.event_id]
                    self._known.move_to_end(place.event_id)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)

    def of(self, event_id: str, among: Sequence[Segment]) -> Found | None:
        """Where the event lies; None when not known, or in none of these segments."""
        place, _ = self._of(event_id)
        return place if place is not None and place.segment in among else None

    def likely(self, event_id: str, among: Sequence[Segment]) -> list[Segment]:
        """Those of ``among`` with events of its time and lane; all when these are not known."""
        place, lane = self._of(event_id)
        if place is None:
            return list(among)
        return [
            one
            for one in among
            if lane in one.lanes and one.first_time <= place.time <= one.last_time
        ]

    def _of(self, event_id: str) -> tuple[Found | None, str]:
        with self._guard:
            return self._known.get(event_id, (None, ""))
