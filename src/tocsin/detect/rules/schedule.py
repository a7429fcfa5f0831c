"""When a rule pages: hours of the week in a time zone, or all others."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tocsin.detect.errors import DetectError
from tocsin.model.severity import Level

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class BadSchedule(DetectError):
    """A schedule that can't be used; says why."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The rule pages in ``start`` to ``end`` of ``days``, or (``outside``) at all other times.

    An ``end`` not after ``start`` is one of the next day: hours over midnight belong to the day
    they begin on. Times are of ``zone`` (IANA), daylight saving included. At other times findings
    are kept and make no alert; with ``otherwise`` they make one of that level.
    """

    days: tuple[str, ...]
    start: time
    end: time
    zone: str = "UTC"
    outside: bool = False
    otherwise: Level | None = None

    def pages(self, moment: datetime) -> bool:
        """Whether a finding of then pages."""
        local = moment.astimezone(ZoneInfo(self.zone))
        clock, day = local.time(), local.weekday()
        if self.start < self.end:
            within = self._has(day) and self.start <= clock < self.end
        else:
            began = self._has(day) and clock >= self.start
            within = began or (self._has(day - 1) and clock < self.end)
        return within is not self.outside

    def _has(self, day: int) -> bool:
        return DAYS[day % 7] in self.days

    def in_words(self) -> str:
        """``outside mon, tue 08:00-18:00 Europe/Berlin, otherwise low``."""
        when = f"{', '.join(self.days)} {self.start:%H:%M}-{self.end:%H:%M} {self.zone}"
        otherwise = f"level {self.otherwise.value}" if self.otherwise else "no alert"
        return f"pages {'outside' if self.outside else 'in'} {when}, otherwise {otherwise}"

    def as_json(self) -> dict[str, Any]:
        return {
            "days": list(self.days),
            "start": f"{self.start:%H:%M}",
            "end": f"{self.end:%H:%M}",
            "zone": self.zone,
            "outside": self.outside,
            "otherwise": self.otherwise.value if self.otherwise else None,
        }


def read_schedule(content: object) -> Schedule:
    """A schedule as ``as_json`` gives it. Raises ``BadSchedule``."""
    if not isinstance(content, Mapping):
        raise BadSchedule("a schedule is a map with days, start, end and zone")
    days = content.get("days")
    if not isinstance(days, list | tuple) or not days or not set(days) <= set(DAYS):
        raise BadSchedule(f"its days must be some of {', '.join(DAYS)}")
    zone = content.get("zone") or "UTC"
    try:
        ZoneInfo(zone)
        start, end = (time.fromisoformat(content[name]) for name in ("start", "end"))
        level = Level(content["otherwise"]) if content.get("otherwise") else None
    except KeyError as error:
        if isinstance(error, ZoneInfoNotFoundError):
            raise BadSchedule(
                f"{zone!r} is no time zone: write one such as Europe/Berlin"
            ) from None
        raise BadSchedule(f"its {error.args[0]} is missing: write one such as 08:00") from None
    except (TypeError, ValueError, OSError) as error:
        raise BadSchedule(f"it can't be read: {error}") from error
    if start.tzinfo or end.tzinfo:
        raise BadSchedule("its times carry no zone of their own: give zone")
    ordered = tuple(day for day in DAYS if day in days)
    return Schedule(ordered, start, end, zone, bool(content.get("outside")), level)
