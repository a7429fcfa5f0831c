"""An event somebody asks about: of the store, or any record as its lane takes it in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from tocsin.ingest.decode import decode
from tocsin.model.lane import Lane
from tocsin.model.record import Origin, RawBatch
from tocsin.normalize.normalizer import Normalizer
from tocsin.store.ports import EventStore
from tocsin.store.query import StoredEvent
from tocsin.triage.finding_events import FINDING_LANE

_GIVEN = "given"


class NoEvent(Exception):
    """What was given is no event; says why and what would be."""


@dataclass(frozen=True, slots=True)
class GivenEvent:
    """``native`` fields as rules see them; ``lane`` None when no connector knows such events.

    ``event_id`` is empty for an event that is not in the store.
    """

    native: Mapping[str, object]
    lane: Lane | None
    time: datetime
    source: str = ""
    event_id: str = ""
    tenant: str = "default"


def stored_event(events: EventStore, event_id: str) -> StoredEvent | None:
    """The stored event of that id; for the id of a stored finding, the event it was found on."""
    event = events.get(event_id)
    if event is None or event.lane != FINDING_LANE.id:
        return event
    found_on = event.native.get("event_id")
    return (events.get(found_on) if isinstance(found_on, str) else None) or event


def given_of_stored(event: StoredEvent, normalizer: Normalizer) -> GivenEvent:
    lane = lane_of(event.lane, normalizer)
    facts = (event.native, lane, event.time, event.source, event.event_id, event.tenant)
    return GivenEvent(*facts)


def lane_of(lane_id: str, normalizer: Normalizer) -> Lane | None:
    """A connector's lane by its id; None for the lane of what no connector knows."""
    return next((lane for lane in normalizer.lanes[:-1] if lane.id == lane_id), None)


def given_of_record(record: object, normalizer: Normalizer) -> GivenEvent:
    """A record as its sender writes it, or an event as ``tocsin search --json`` prints it.

    Raises NoEvent when it is neither.
    """
    if not isinstance(record, dict):
        raise NoEvent(f"a JSON object is needed, not {type(record).__name__}")
    if isinstance(record.get("native"), dict) and isinstance(record.get("lane"), str):
        lane, moment = lane_of(record["lane"], normalizer), _moment(record.get("time"))
        source, event_id = (str(record.get(key) or "") for key in ("source", "event_id"))
        return GivenEvent(record["native"], lane, moment, source, event_id)
    inner = record.get("event")
    is_hit = isinstance(inner, dict) and "rule_id" in record
    return _taken_in(inner if is_hit else record, normalizer)


def _taken_in(record: Any, normalizer: Normalizer) -> GivenEvent:
    now = datetime.now(UTC)
    decoded = decode(RawBatch(_GIVEN, orjson.dumps(record), now))
    if not decoded.records:
        reason = decoded.unreadable[0].reason if decoded.unreadable else "it is empty"
        raise NoEvent(f"the record can't be read: {reason}")
    origin = Origin(source=_GIVEN, received_at=now, spool=_GIVEN, position=0)
    batches = [one for one in normalizer.normalize(decoded, origin) if len(one)]
    batch = batches[0]
    lane = lane_of(batch.lane.id, normalizer)
    moment = batch.times[0].as_py()
    return GivenEvent(batch.native_rows([0])[0], lane, moment.astimezone(UTC))


def _moment(text: object) -> datetime:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return datetime.now(UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
