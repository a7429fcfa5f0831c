"""What a source usually sends in each hour of the week, and what of that is missing.

Hours are those of UTC in which events happened, not those in which they arrived: a backlog makes
no hour poor and none rich. An hour is compared with the same hour of the last six weeks; while
fewer than two weeks are known with the same hour of every day; in the first days with all hours
there are. Quartiles stand for the weeks: one outage or one holiday moves them little.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import numpy as np

WEEK_HOURS = 168
KEPT_WEEKS = 6
KEPT_HOURS = KEPT_WEEKS * WEEK_HOURS
UNKNOWN = -1
"""An hour before the source was known, or one of a silence that was told."""
RELEARNED_HOURS = 48
"""Late events still count for an hour as long as this."""
FEWEST_WEEKS = 2
FEWEST_DAYS = 3
FEWEST_HOURS = 24
FEWEST_EVENTS = 20
"""Fewer events than this say nothing: chance alone would make drops, surges and silences."""
_SATURDAY = 5
_MOST = 2**31 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Band:
    """Events an hour that are usual: ``middle`` is the median."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class UsualWeek:
    """Events by hour; ``counts`` are ``KEPT_HOURS`` numbers and end with hour ``last``."""

    last: int
    counts: tuple[int, ...]

    @classmethod
    def from_bytes(cls, last: int, content: bytes) -> Self:
        return cls(last, tuple(np.frombuffer(content, "<i4").tolist()))

    def as_bytes(self) -> bytes:
        return np.array(self.counts, "<i4").tobytes()

    def at(self, hour: int) -> int:
        """Events of an hour; ``UNKNOWN`` also for hours that are not kept."""
        place = KEPT_HOURS - 1 - (self.last - hour)
        return self.counts[place] if 0 <= place < KEPT_HOURS else UNKNOWN

    def own_band(self, hour: int, before: int | None = None) -> Band | None:
        """What is usual in ``hour`` by the hours before ``before`` (None: itself).

        None while less than a day is known.
        """
        end = min(hour if before is None else before, self.last + 1)
        weeks = self._known(hour, WEEK_HOURS, end)
        if len(weeks) >= FEWEST_WEEKS:
            return Band(_quantile(weeks, 0.25), _quantile(weeks, 0.5), _quantile(weeks, 0.75))
        days = self._known(hour, 24, end)
        if len(days) >= FEWEST_DAYS:
            low = 0.0 if not weeks and _day_of(hour) >= _SATURDAY else float(min(days))
            return Band(low, _quantile(days, 0.5), float(max(days)))
        hours = self._known(hour, 1, end)
        if len(hours) >= FEWEST_HOURS:
            return Band(float(min(hours)), _quantile(hours, 0.5), float(max(hours)))
        return None

    def band(self, hour: int, before: int | None = None) -> Band | None:
        """The same, as wide as the hours beside it: what comes an hour early or late is usual.

        So the beginning of work, summer time and a job that is put off are no trouble.
        """
        own = self.own_band(hour, before)
        if own is None:
            return None
        beside = [self.own_band(hour + step, before) for step in (-1, 1)]
        every = [own, *(one for one in beside if one is not None)]
        return Band(min(one.low for one in every), own.middle, max(one.high for one in every))

    def _known(self, hour: int, step: int, end: int) -> list[int]:
        """Sorted events of the known hours before ``end`` that are whole steps from ``hour``."""
        first = self.last - KEPT_HOURS + 1
        start = first + (hour - first) % step
        found = (self.counts[at - first] for at in range(start, end, step))
        return sorted(count for count in found if count != UNKNOWN)


@dataclass(frozen=True, slots=True)
class Missed:
    """What a source at least would have sent by now; ``usually_s`` of the time it usually sends."""

    events: float
    usually_s: float


def learned(
    week: UsualWeek | None,
    counts: Mapping[int, int],
    through: int,
    told_silence: int | None = None,
) -> UsualWeek | None:
    """``week`` with the hours up to ``through``, of which ``counts`` are those that had events.

    ``told_silence`` is the hour of the last event before the last silence that was told: the hours
    until it was over stay unknown, or an outage would soon be usual. None while nothing is known.
    """
    if week is None and not counts:
        return None
    first = through - KEPT_HOURS + 1
    # of a source seen for the first time, the first hour is hardly whole
    known_to = week.last if week is not None else min(counts)
    hours = [week.at(at) for at in range(first, through + 1)] if week else [UNKNOWN] * KEPT_HOURS
    silent_from = silent_until = known_to
    if told_silence is not None and told_silence >= known_to:
        silent_from = told_silence
        silent_until = min((at for at in counts if at > told_silence), default=through + 1)
    start = known_to - RELEARNED_HOURS + 1 if week is not None else known_to + 1
    for at in range(max(start, first), through + 1):
        if counts.get(at):
            hours[at - first] = min(counts[at], _MOST)
        elif at > known_to:
            hours[at - first] = UNKNOWN if silent_from < at < silent_until else 0
    return UsualWeek(through, tuple(hours))


def usual_between(week: UsualWeek, start: datetime, end: datetime) -> Band | None:
    """What is usual from ``start`` to ``end``, as events in that time; None: not known."""
    low = middle = high = 0.0
    for hour, seconds in hours_between(start, end):
        band = week.band(hour)
        if band is None:
            return None
        share = seconds / 3600
        low, middle = low + band.low * share, middle + band.middle * share
        high += band.high * share
    return Band(low, middle, high)


def share_of_usual(events: float, usual: Band) -> float | None:
    """1 within the band, else the share of its nearest edge; None where chance could make it."""
    if usual.low <= events <= usual.high:
        return 1.0 if usual.high >= FEWEST_EVENTS else None
    if events > usual.high:
        return events / max(usual.high, FEWEST_EVENTS) if events >= FEWEST_EVENTS else None
    return events / usual.low if usual.low >= FEWEST_EVENTS else None


def missed_since(
    week: UsualWeek, last_seen: datetime, moment: datetime, patience_s: float | None
) -> Missed | None:
    """What a source owes that has sent nothing since ``last_seen``; None: nothing, or unknown.

    It owes something when ``FEWEST_EVENTS`` are the least that was usual since, and either more
    than ``patience_s`` of the time in which it usually sends has passed (None: it is not known how
    long it pauses then), or an hour that always has as many is over for an hour. So nobody owes
    anything at night who only works by day, and a batch at two o'clock is missed at four.
    """
    before = hour_of(last_seen) + 1
    usually_s = least = of_whole_hours = 0.0
    for hour, seconds in hours_between(last_seen, moment):
        band = week.band(hour, before)
        if band is None:
            continue
        if band.low >= 1:
            usually_s += seconds
            least += band.low * seconds / 3600
        if before < hour < hour_of(moment) - 1:
            own = week.own_band(hour, before)
            of_whole_hours += own.low if own is not None else 0.0
        is_overdue = patience_s is not None and usually_s > patience_s and least >= FEWEST_EVENTS
        if is_overdue or of_whole_hours >= FEWEST_EVENTS:
            return Missed(_rest(week, max(least, of_whole_hours), hour, moment, before), usually_s)
    return None


def hour_of(moment: datetime) -> int:
    """The number of the hour a moment is in, since 1970."""
    return int(moment.timestamp()) // 3600


def hours_between(start: datetime, end: datetime) -> Iterator[tuple[int, float]]:
    """Each hour from ``start`` to ``end`` with the seconds of it that lie between."""
    at, until = start.timestamp(), end.timestamp()
    while at < until:
        hour = int(at) // 3600
        then = min(until, (hour + 1) * 3600)
        yield hour, then - at
        at = then


def _rest(week: UsualWeek, owed: float, hour: int, moment: datetime, before: int) -> float:
    """``owed`` with the least of the hours after ``hour``, of a week at most."""
    end = min(hour_of(moment), hour + WEEK_HOURS)
    bands = (week.own_band(at, before) for at in range(hour + 1, end))
    return owed + sum(band.low for band in bands if band is not None)


def _day_of(hour: int) -> int:
    """The day of the week, 0 for Monday."""
    return (_EPOCH + timedelta(hours=hour)).weekday()


def _quantile(values: Sequence[int], share: float) -> float:
    """Of sorted values, between neighbors in proportion."""
    place = share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)
