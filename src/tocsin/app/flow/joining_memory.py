"""What stored records say of events whose other records come after a restart."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from tocsin.app.home.history import lanes_by_id
from tocsin.normalize.normalizer import Normalizer
from tocsin.store.ports import Damage, EventStore, ReplayQuery, Segment

_log = structlog.get_logger()
BEFORE_STOP = timedelta(seconds=60)
"""Records taken in so long before the last one are remembered."""


def recall(normalizer: Normalizer, events: EventStore, now: datetime) -> None:
    """Remind the normalizer of what was stored last; nothing is read when no lane tells others."""
    giving = normalizer.giving
    told = [one for one in events.segments(None, None) if not giving.isdisjoint(one.lanes)]
    if not told:
        return
    newest = min(now, max(_received_until(one) for one in told))
    since = newest - BEFORE_STOP
    recent = [one for one in told if _received_until(one) >= since]
    wanted = ReplayQuery(
        received_from=since, lanes=giving, segments=frozenset(one.id for one in recent)
    )
    for batch in events.replay(wanted, lanes_by_id(normalizer.lanes), _tell):
        normalizer.remember([batch])


def _received_until(segment: Segment) -> datetime:
    """When its last event was taken in, as event ids have it (RFC 9562, UUIDv7)."""
    return datetime.fromtimestamp((UUID(segment.last_event_id).int >> 80) / 1000, UTC)


def _tell(damage: Damage) -> None:
    _log.warning("segment_not_recalled", damage=str(damage))
