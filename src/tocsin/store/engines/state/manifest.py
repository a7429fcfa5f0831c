"""The manifest: which segments count, what they span, and which fields were seen in them."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, delete, func, insert, select

from tocsin.model.field_path import REMAINDER
from tocsin.store.ports import SeenField, Segment, StoreError
from tocsin.store.tables import event_fields, segment_facts, segments

MOST_FIELDS = 20_000
"""Fields kept of a lane and space: a sender that makes up names can't fill the state with them.

Native ones beyond it are found by their exact name, and are not suggested."""


def add(tx: Connection, segment: Segment) -> None:
    """Count a segment from now on; its facts, if it has some, are kept beside it."""
    tx.execute(insert(segments).values(_row(segment)))
    if segment.facts:
        facts = {"segment_id": segment.id, "packed": segment.facts}
        tx.execute(insert(segment_facts).values(facts))


def full_lanes(known: Collection[SeenField]) -> frozenset[tuple[str, str]]:
    """Lane and space of those that have as many fields as are kept."""
    counted = Counter((field.lane, field.space) for field in known)
    return frozenset(place for place, count in counted.items() if count >= MOST_FIELDS)


def is_remainder(field: SeenField) -> bool:
    """Where names beyond a batch's columns are kept: always needed, to look into them."""
    return field.path[-1] == REMAINDER


def add_fields(tx: Connection, fields: Collection[SeenField], known: Collection[SeenField]) -> None:
    """Keep ``fields``, up to ``MOST_FIELDS`` of a lane and space with the ``known``.

    ``known`` are all that ``tx`` sees, and none of them is among ``fields``: one writes at a time.
    """
    room = Counter((field.lane, field.space) for field in known)
    rows = []
    for field in sorted(fields, key=lambda one: (not is_remainder(one), one.path)):
        place = field.lane, field.space
        if room[place] < MOST_FIELDS or is_remainder(field):
            room[place] += 1
            rows.append({"lane": place[0], "space": place[1], "path": json.dumps(field.path)})
    if rows:
        tx.execute(insert(event_fields), rows)


def fields(tx: Connection) -> frozenset[SeenField]:
    rows = tx.execute(select(event_fields.c.lane, event_fields.c.space, event_fields.c.path))
    return frozenset(SeenField(row.lane, row.space, tuple(json.loads(row.path))) for row in rows)


def field_count(tx: Connection) -> int:
    return int(tx.execute(select(func.count()).select_from(event_fields)).scalar_one())


def swap(tx: Connection, old: Sequence[Segment], *new: Segment | None) -> bool:
    """Put segments (None: nothing) in the place of others.

    False, and nothing done, when one of them is gone.
    """
    is_old = segments.c.id.in_([segment.id for segment in old])
    if tx.execute(select(func.count()).where(is_old)).scalar_one() != len(old):
        return False
    tx.execute(delete(segments).where(is_old))
    gone = {one.id for one in old}.difference(one.id for one in new if one is not None)
    tx.execute(delete(segment_facts).where(segment_facts.c.segment_id.in_(gone)))
    for segment in new:
        if segment is not None:
            add(tx, segment)
    return True


def swap_each(tx: Connection, changed: Sequence[tuple[Segment, Segment | None]]) -> None:
    """Put the second of each pair (None: nothing) in the first's place; StoreError if one is gone.

    Those that go without a trace go in one statement: nobody else writes meanwhile.
    """
    gone = [old for old, new in changed if new is None]
    if gone and not swap(tx, gone):
        raise StoreError(f"one of {len(gone)} segments was merged meanwhile: try again")
    for old, new in changed:
        if new is not None and not swap(tx, [old], new):
            raise StoreError(f"segment {old.path} was merged meanwhile: try again")


def between(tx: Connection, start: datetime | None, end: datetime | None) -> list[Segment]:
    """Segments that may hold events in ``start <= time < end``, newest first."""
    wanted = select(segments).order_by(segments.c.last_time.desc(), segments.c.id)
    if start is not None:
        wanted = wanted.where(segments.c.last_time >= start)
    if end is not None:
        wanted = wanted.where(segments.c.first_time < end)
    return [_segment(row) for row in tx.execute(wanted)]


def overlapping(tx: Connection, first_id: str, last_id: str) -> list[Segment]:
    """Segments whose range of event ids meets that one."""
    wanted = select(segments).where(
        segments.c.first_event_id <= last_id, segments.c.last_event_id >= first_id
    )
    return [_segment(row) for row in tx.execute(wanted)]


def holding(tx: Connection, event_id: str) -> list[Segment]:
    """Segments whose range of event ids takes in ``event_id``."""
    wanted = select(segments).where(
        segments.c.first_event_id <= event_id, segments.c.last_event_id >= event_id
    )
    return [_segment(row) for row in tx.execute(wanted)]


def paths(tx: Connection) -> set[str]:
    return set(tx.execute(select(segments.c.path)).scalars())


def rows(tx: Connection) -> int:
    return int(tx.execute(select(func.coalesce(func.sum(segments.c.rows), 0))).scalar_one())


def _row(segment: Segment) -> dict[str, object]:
    return {
        column.name: list(value)
        if isinstance(value := getattr(segment, column.name), tuple)
        else value
        for column in segments.columns
    }


def _segment(row: Row[tuple[object, ...]]) -> Segment:
    values = dict(row._mapping)
    values["sources"], values["lanes"] = tuple(values["sources"]), tuple(values["lanes"])
    return Segment(**values)
