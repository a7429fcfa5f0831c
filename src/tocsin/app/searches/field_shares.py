"""Which fields the events found have, and what share of them: told from the first ones found."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tocsin.store.fields import NATIVE
from tocsin.store.ports import EventStore
from tocsin.store.query import EventQuery, StoredEvent
from tocsin.store.stop_signal import StopSignal

SAMPLE = 500


@dataclass(frozen=True, slots=True)
class FieldShare:
    """A field by the name a filter takes, and how many events of the sample have it."""

    field: str
    events: int
    share: float


@dataclass(frozen=True, slots=True)
class FieldShares:
    """The fields of the ``sampled`` first events of ``total``, most frequent first, their lanes."""

    total: int
    sampled: int
    lanes: tuple[str, ...]
    fields: tuple[FieldShare, ...]


def field_shares(
    events: EventStore, query: EventQuery, stop: StopSignal | None = None, sample: int = SAMPLE
) -> FieldShares:
    """Of the first ``sample`` events of the query: the newest, or the oldest when those are first."""
    page = events.search(replace(query, size=sample, cursor=None), stop)
    counted: Counter[str] = Counter()
    for event in page.events:
        counted.update(_names_of(event))
    sampled = len(page.events)
    ordered = sorted(counted.items(), key=lambda item: (-item[1], _place(item[0])))
    return FieldShares(
        total=page.total,
        sampled=sampled,
        lanes=tuple(sorted({event.lane for event in page.events})),
        fields=tuple(FieldShare(name, count, count / sampled) for name, count in ordered),
    )


def _names_of(event: StoredEvent) -> set[str]:
    return {*_names(event.ocsf, ""), *_names(event.native, NATIVE)}


def _names(fields: Mapping[str, object], prefix: str) -> Iterator[str]:
    """Dotted names of what has a value; members of lists count under the name of the list."""
    for name, value in fields.items():
        path = f"{prefix}{name}"
        members = value if isinstance(value, list) else [value]
        for member in members:
            if isinstance(member, Mapping):
                yield from _names(member, f"{path}.")
            elif member is not None:
                yield path


def _place(name: str) -> tuple[bool, str]:
    return name.startswith(NATIVE), name
