"""Makes the verdicts people see of what is to be told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tocsin.detect.correlate.correlated import Correlated
from tocsin.detect.correlate.episodes import EpisodeRows
from tocsin.detect.correlate.ordered_runs import Places, Times
from tocsin.detect.correlate.telling import Telling
from tocsin.model.event import EventBatch
from tocsin.model.identifier import repeatable_id, uuid_texts
from tocsin.model.rule import Rule

EVIDENCE = 100
_Fields = tuple[dict[str, object], dict[str, object]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PREFIX = "correlated"
_Column = TypeVar("_Column", npt.NDArray[np.int64], npt.NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class Evidence:
    """The latest events of each told row, in order of time: ``(high, low, place)`` of each."""

    ids: list[list[tuple[int, int]]]
    places: list[int]


@dataclass(frozen=True, slots=True)
class Wording:
    """What a rule's verdicts are made with."""

    rule: Rule
    fields: tuple[str, ...]
    because: Callable[[float], str]
    names: Callable[[int], Sequence[str]]
    """Tenant and group-by texts of a group."""
    places: Sequence[tuple[str, str]]
    """Lane and source of each place."""
    origin: Callable[[int, int], tuple[EventBatch, int] | None]
    """The event of this turn with that id (its halves), or None."""


def evidence_of(places: Places, after: Times, until: Times) -> Evidence:
    """The last hundred events of each range (after, until]."""
    rows = places.rows_between(after, until, EVIDENCE)
    owners, times = rows.owners(), rows.times()
    high, low = rows.column("id_high", np.uint64), rows.column("id_low", np.uint64)
    place = rows.column("place", np.int32)
    order = np.lexsort((low, high, times, owners))
    ends = np.searchsorted(owners[order], np.arange(len(after)), side="right")
    begins = np.searchsorted(owners[order], np.arange(len(after)))
    ids, lasts = [], []
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        chosen = order[max(begin, end - EVIDENCE) : end]
        pairs = zip(high[chosen].tolist(), low[chosen].tolist(), strict=True)
        ids.append(list(dict.fromkeys(pairs)))
        lasts.append(int(place[chosen[-1]]) if len(chosen) else -1)
    return Evidence(ids, lasts)


def verdicts(
    said: Telling, evidence: Evidence, wording: Wording
) -> tuple[EpisodeRows, list[Correlated]]:
    """The rows with what is now told of them, and the verdicts in order of time."""
    found = [_retraction(said.retracted, at, wording) for at in range(len(said.retracted))]
    rows = said.rows
    tell = said.tell
    if len(tell):
        told_high, told_low = rows.told_high.copy(), rows.told_low.copy()
        lasts = [ids[-1] if ids else None for ids in evidence.ids]
        fields = _fields_of([None if one is None else wording.origin(*one) for one in lasts])
        texts = _texts_of(evidence.ids)
        for number, at in enumerate(tell.tolist()):
            place = evidence.places[number]
            one = _verdict(rows, at, texts[number], place, fields[number], wording)
            told_high[at], told_low[at] = _halves(one.finding_id)
            found.append(one)
        rows = replace(
            rows,
            told_high=told_high,
            told_low=told_low,
            told_since=_put(rows.told_since, tell, rows.since),
            told_last=_put(rows.told_last, tell, rows.last),
            told_count=_put(rows.told_count, tell, rows.count),
            told_measured=_put(rows.told_measured, tell, rows.measured),
        )
    found.sort(key=lambda one: (one.time, one.group, one.retracted, one.finding_id))
    return rows, found


def _verdict(
    rows: EpisodeRows,
    at: int,
    ids: tuple[str, ...],
    place: int,
    fields: _Fields,
    wording: Wording,
) -> Correlated:
    tenant, *texts = wording.names(int(rows.group[at]))
    former = _told_id(rows, at)
    since, last = int(rows.since[at]), int(rows.last[at])
    count, measured = int(rows.count[at]), float(rows.measured[at])
    rule = wording.rule
    parts = (rule.id, tenant, *texts, str(since), str(last), str(count), repr(measured), former)
    lane, source = wording.places[place] if place >= 0 else ("", "")
    return Correlated(
        rule=rule,
        finding_id=repeatable_id(_PREFIX, *parts),
        group=tuple(zip(wording.fields, texts, strict=True)),
        since=moment(since),
        time=moment(last),
        measured=measured,
        because=wording.because(measured),
        event_ids=ids,
        event_count=count,
        lane=lane,
        source=source,
        native=fields[0],
        ocsf=fields[1],
        tenant=tenant,
        supersedes=former,
    )


def _fields_of(origins: Sequence[tuple[EventBatch, int] | None]) -> list[_Fields]:
    """Native and OCSF fields of each event, empty when it is not of this turn."""
    found: list[_Fields] = [({}, {}) for _ in origins]
    by_batch: dict[int, list[int]] = {}
    for number, origin in enumerate(origins):
        if origin is not None:
            by_batch.setdefault(id(origin[0]), []).append(number)
    for numbers in by_batch.values():
        here = [origin for number in numbers if (origin := origins[number]) is not None]
        batch, rows = here[0][0], [row for _, row in here]
        both = zip(batch.native_rows(rows), batch.ocsf_rows(rows), strict=True)
        for number, fields in zip(numbers, both, strict=True):
            found[number] = fields
    return found


def _retraction(rows: EpisodeRows, at: int, wording: Wording) -> Correlated:
    tenant, *texts = wording.names(int(rows.group[at]))
    former = _told_id(rows, at)
    measured = float(rows.told_measured[at])
    return Correlated(
        rule=wording.rule,
        finding_id=repeatable_id(_PREFIX, wording.rule.id, former, "retracted"),
        group=tuple(zip(wording.fields, texts, strict=True)),
        since=moment(int(rows.told_since[at])),
        time=moment(int(rows.told_last[at])),
        measured=measured,
        because=f"no longer holds after late events; it was: {wording.because(measured)}",
        event_ids=(),
        event_count=int(rows.told_count[at]),
        lane="",
        source="",
        native={},
        ocsf={},
        tenant=tenant,
        supersedes=former,
        retracted=True,
    )


def moment(micros: int) -> datetime:
    """A time in UTC; one beyond the years people count is the nearest they do."""
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if micros > 0 else datetime.min.replace(tzinfo=UTC)


def _put(column: _Column, at: Times, source: _Column) -> _Column:
    column = column.copy()
    column[at] = source[at]
    return column


def _told_id(rows: EpisodeRows, at: int) -> str:
    high, low = int(rows.told_high[at]), int(rows.told_low[at])
    return f"{_PREFIX}-{high:016x}{low:016x}" if high or low else ""


def _halves(finding_id: str) -> tuple[int, int]:
    digits = finding_id[len(_PREFIX) + 1 :]
    return int(digits[:16], 16), int(digits[16:], 16)


def _texts_of(ids: Sequence[Sequence[tuple[int, int]]]) -> list[tuple[str, ...]]:
    """The events of each row as people see their ids."""
    halves = np.array([half for one in ids for pair in one for half in pair], np.uint64)
    texts = uuid_texts(halves[0::2], halves[1::2])
    ends = np.cumsum([len(one) for one in ids]).tolist()
    return [tuple(texts[end - len(one) : end]) for one, end in zip(ids, ends, strict=True)]
