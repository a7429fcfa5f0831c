"""The company's clock: when things happen in a day, and how senders write the time.

The working day of the company ends when the day ends, whatever the wall clock says, so that the
story is the same at every hour it is started. All times are UTC epoch seconds.
"""

from bisect import bisect
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random

DAY_S = 86_400
HOUR_S = 3_600
_QUARTER_S = 900
# How busy people are in each hour before the end: yesterday's last hour first, lunch at -6 h.
_BUSY = (
    6,
    3,
    2,
    1,
    1,
    0.4,
    0.3,
    0.2,
    0.2,
    0.2,
    0.2,
    0.2,
    0.4,
    1.5,
    6,
    11,
    12,
    11,
    7,
    9,
    12,
    12,
    10,
    7,
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Clock:
    """The ``span_s`` seconds before ``end`` (epoch seconds), a whole day if nothing else is said."""

    end: float
    span_s: float = DAY_S

    @property
    def start(self) -> float:
        return self.end - self.span_s

    def before_end(self, hours: float) -> float:
        """The moment so many hours before the end of the day."""
        return self.end - hours * HOUR_S

    def at_work(self, rng: Random) -> float:
        """A random moment, most often within working hours; less than a day is all work."""
        if self.span_s < DAY_S:
            return self.any_time(rng)
        quarter = bisect(_BUSY_SUMS, rng.random() * _BUSY_SUMS[-1])
        return self.start + (min(quarter, 95) + rng.random()) * _QUARTER_S

    def any_time(self, rng: Random) -> float:
        """A random moment of the span, night as likely as noon."""
        return self.start + rng.random() * self.span_s

    def every(self, rng: Random, count: int) -> list[float]:
        """``count`` moments spread evenly over the span, each a little off its beat."""
        step = self.span_s / max(count, 1)
        return [self.start + (at + 0.1 + 0.8 * rng.random()) * step for at in range(count)]


_BUSY_SUMS = list(accumulate(weight for weight in _BUSY for _ in range(4)))


def iso(at: float, digits: int = 3) -> str:
    """RFC 3339 with a Z and ``digits`` of the second's fraction (0, 3 or 6)."""
    text = moment(at).isoformat(timespec="microseconds")[:26]
    return (text if digits == 6 else text[: 20 + digits] if digits else text[:19]) + "Z"


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=round(at * 1e6))


def rfc3164(at: float) -> str:
    """``Nov 21 09:02:07``, the day padded with a space."""
    when = moment(at)
    return f"{_MONTHS[when.month - 1]} {when.day:2d} {when:%H:%M:%S}"


def common_log(at: float) -> str:
    """``21/Nov/2026:09:02:07 +0000`` as web servers write it, whatever the locale."""
    when = moment(at)
    return f"{when.day:02d}/{_MONTHS[when.month - 1]}/{when.year}:{when:%H:%M:%S} +0000"
