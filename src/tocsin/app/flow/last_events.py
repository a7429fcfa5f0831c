"""Looks up the last events of what correlation says, many with one question."""

from collections.abc import Sequence
from datetime import timedelta

from tocsin.detect.correlate.correlated import Correlated
from tocsin.store.ports import EventStore
from tocsin.store.query import EventQuery, StoredEvent

_AT_ONCE = 200
_MICROSECOND = timedelta(microseconds=1)


def last_events(events: EventStore, verdicts: Sequence[Correlated]) -> dict[str, StoredEvent]:
    """By their ids, as far as they are stored: one question costs what looking for one event does."""
    found: dict[str, StoredEvent] = {}
    ordered = sorted((one for one in verdicts if one.event_ids), key=lambda one: one.time)
    for first in range(0, len(ordered), _AT_ONCE):
        some = ordered[first : first + _AT_ONCE]
        wanted = dict.fromkeys(one.event_ids[-1] for one in some)
        query = EventQuery(
            f"event_id:({' OR '.join(wanted)})",
            start=some[0].time,
            end=some[-1].time + _MICROSECOND,
            size=len(wanted),
        )
        found |= {event.event_id: event for event in events.search(query).events}
        for event_id in wanted.keys() - found.keys():  # a verdict may be later than its event
            event = events.get(event_id)
            if event is not None:
                found[event_id] = event
    return found
