"""What the alert panel tells of findings made of several events: the count, a picture, the events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin.app.moment import span
from tocsin.console.visit import Visit, with_query
from tocsin.model.alert import Alert, CountedFinding, Exemplar
from tocsin.store.ports import StoreError
from tocsin.store.query import EventQuery, StoredEvent

BARS = 60
_LISTED = 12
_LINKED = 40


@dataclass(frozen=True, slots=True)
class Bar:
    """Events of one part of the picture: place from the left and height, both in percent."""

    left: float
    top: float
    height: float
    count: int


@dataclass(frozen=True, slots=True)
class Counting:
    """The latest verdict of an alert: what was counted and the events, as far as they are kept.

    ``events`` are the first few of those found, ``evidence_count`` how many are known by id of
    ``event_count`` in all. ``search`` is the address that lists them. ``verdicts`` tell how it
    came to this, latest first.
    """

    exemplar: Exemplar
    took: str
    bars: tuple[Bar, ...]
    tallest: int
    events: tuple[StoredEvent, ...]
    evidence_count: int
    search: str
    verdicts: Sequence[CountedFinding]
    trouble: str = ""

    @property
    def standing(self) -> int:
        """How many verdicts hold now."""
        return sum(one.state == "standing" for one in self.verdicts)


def counting_of(visit: Visit, alert: Alert, verdicts: Sequence[CountedFinding]) -> Counting | None:
    """The counting of an alert; None when its findings are of one event each."""
    counted = [one for one in alert.exemplars if one.since is not None]
    if not counted:
        return None
    exemplar = max(counted, key=lambda one: one.time)
    found, trouble = _events(visit, exemplar)
    since = exemplar.since or exemplar.time
    bars = _bars([event.time for event in found], since, exemplar.time)
    return Counting(
        exemplar=exemplar,
        took=span((exemplar.time - since).total_seconds()),
        bars=bars,
        tallest=max((bar.count for bar in bars), default=0),
        events=tuple(found[:_LISTED]),
        evidence_count=len(exemplar.evidence),
        search=_search(exemplar, since),
        verdicts=verdicts,
        trouble=trouble,
    )


def _events(visit: Visit, exemplar: Exemplar) -> tuple[list[StoredEvent], str]:
    if not exemplar.evidence or not visit.may("events:search"):
        return [], ""
    query = EventQuery(
        text=_named(exemplar.evidence),
        start=exemplar.since,
        end=exemplar.time + timedelta(seconds=1),
        size=len(exemplar.evidence),
        oldest_first=True,
    )
    try:
        return list(visit.tocsin.events.search(query).events), ""
    except StoreError as error:
        return [], f"The events can't be read now: {error}"


def _named(ids: Sequence[str]) -> str:
    return f"event_id:({' OR '.join(chr(34) + one + chr(34) for one in ids)})"


def _search(exemplar: Exemplar, since: datetime) -> str:
    """The address that shows the events; beyond forty ids the newest are named."""
    return with_query(
        "/search",
        {
            "q": _named(exemplar.evidence[-_LINKED:]),
            "from": since.isoformat().replace("+00:00", "Z"),
            "to": (exemplar.time + timedelta(seconds=1)).isoformat().replace("+00:00", "Z"),
        },
    )


def _bars(times: Sequence[datetime], since: datetime, until: datetime) -> tuple[Bar, ...]:
    length_s = max((until - since).total_seconds(), 1e-6)
    counts: dict[int, int] = {}
    for time in times:
        place = int((time - since).total_seconds() / length_s * (BARS - 1) + 0.5)
        place = min(BARS - 1, max(0, place))
        counts[place] = counts.get(place, 0) + 1
    tallest = max(counts.values(), default=1)
    return tuple(
        Bar(
            left=round(place * 100 / BARS, 2),
            top=round(100 - 100 * count / tallest, 2),
            height=round(100 * count / tallest, 2),
            count=count,
        )
        for place, count in sorted(counts.items())
    )
