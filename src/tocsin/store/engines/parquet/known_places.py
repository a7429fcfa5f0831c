"""Remembers where events that were shown lie, so that opening one reads one row of one segment."""

import threading
from collections import OrderedDict
from collections.abc import Sequence

from tocsin.store.engines.parquet.event_paging import Found
from tocsin.store.ports import Segment

_MOST = 20_000


class KnownPlaces:
    """Places by event id; a segment never changes, so each holds while its segment counts."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._places: OrderedDict[str, Found] = OrderedDict()

    def note(self, places: Sequence[Found]) -> None:
        """Keep the latest places of these events, and forget those noted longest ago."""
        with self._guard:
            for place in places:
                self._places[place.event_id] = place
                self._places.move_to_end(place.event_id)
            while len(self._places) > _MOST:
                self._places.popitem(last=False)

    def of(self, event_id: str, among: Sequence[Segment]) -> Found | None:
        """Where the event lies; None when not known, or in none of these segments."""
        with self._guard:
            place = self._places.get(event_id)
        return place if place is not None and place.segment in among else None
