"""How many findings each rule made on each of the last days, counted from the stored findings."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from tocsin.store.ports import EventStore
from tocsin.store.query import EventQuery

DAYS = 14
_TODAY_KEPT = timedelta(seconds=30)
_OTHERS_KEPT = timedelta(minutes=10)
"""Findings of a day gone by still come: from late events, and from old files taken in."""
_FINDINGS = "lane:tocsin.finding AND NOT activity_id:3"
_RULE = "finding_info.analytic.uid"
"""The rule of a finding, in a column of its own: its native fields take thirty times as long."""
_MOST_RULES = 20_000


@dataclass(frozen=True, slots=True)
class FindingDays:
    """Findings by rule id, one number a day (UTC), oldest first, today last.

    ``as_of`` None: not counted yet. Retractions are no findings.
    """

    days: tuple[date, ...] = ()
    by_rule: Mapping[str, tuple[int, ...]] | None = None
    as_of: datetime | None = None

    def of(self, rule_id: str) -> tuple[int, ...]:
        """The days of a rule, all 0 when it found nothing; empty when nothing was counted."""
        if self.by_rule is None:
            return ()
        return self.by_rule.get(rule_id, (0,) * len(self.days))

    def total(self, rule_id: str) -> int:
        return sum(self.of(rule_id))


class FindingCounter:
    """Counts day by day and keeps what it counted for a while; for any thread."""

    def __init__(self, events: EventStore) -> None:
        self._events = events
        self._one = threading.Lock()
        self._by_day: dict[date, tuple[datetime, Mapping[str, int]]] = {}
        self._known = FindingDays()

    def known(self) -> FindingDays:
        """What was counted last, without looking."""
        return self._known

    def is_fresh(self, now: datetime) -> bool:
        """True when ``count`` would look at nothing anew."""
        return not any(self._is_old(day, now) for day in _last_days(now))

    def count(self, now: datetime) -> FindingDays:
        """The last fourteen days; raises what the store raises."""
        with self._one:
            days = _last_days(now)
            self._by_day = {day: told for day, told in self._by_day.items() if day in days}
            for day in days:
                if self._is_old(day, now):
                    self._by_day[day] = now, self._of_day(day)
            self._known = FindingDays(days, self._together(days), now)
            return self._known

    def _is_old(self, day: date, now: datetime) -> bool:
        told = self._by_day.get(day)
        kept = _TODAY_KEPT if day == now.astimezone(UTC).date() else _OTHERS_KEPT
        return told is None or abs(now - told[0]) > kept

    def _of_day(self, day: date) -> Mapping[str, int]:
        start = datetime.combine(day, time(), UTC)
        query = EventQuery(_FINDINGS, start=start, end=start + timedelta(days=1))
        found = self._events.top_values(query, _RULE, _MOST_RULES)
        return {one.value: one.count for one in found}

    def _together(self, days: tuple[date, ...]) -> dict[str, tuple[int, ...]]:
        counted = [self._by_day[day][1] for day in days]
        ids = {rule_id for of_day in counted for rule_id in of_day}
        return {rule_id: tuple(one.get(rule_id, 0) for one in counted) for rule_id in ids}


def _last_days(now: datetime) -> tuple[date, ...]:
    today = now.astimezone(UTC).date()
    return tuple(today - timedelta(days=back) for back in range(DAYS - 1, -1, -1))
