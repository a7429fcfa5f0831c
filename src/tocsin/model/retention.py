"""How long events are kept: rules of retention, and legal holds that stand above them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase


class CountedFrom(StrEnum):
    """Which moment an event's age is counted from."""

    INTAKE = "intake"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """What may go of the sources it covers, by age or by size.

    ``source`` may have ``*``, ``?`` and ``[…]``; an empty ``tenant`` is every tenant. Of the rules
    with ``keep_days`` the most exact one alone counts for a source; ``most_bytes`` of all that
    cover it count. ``least_free_bytes`` is of the disk. A rule without a bound keeps what it
    covers. ``changed_by`` is empty for one of the configuration.
    """

    name: str
    source: str = "*"
    tenant: str = ""
    keep_days: float | None = None
    most_bytes: int | None = None
    least_free_bytes: int | None = None
    counted_from: CountedFrom = CountedFrom.INTAKE
    changed_by: str = ""
    changed_at: datetime | None = None

    def covers(self, tenant: str, source: str) -> bool:
        return (not self.tenant or self.tenant == tenant) and fnmatchcase(source, self.source)

    @property
    def has_size(self) -> bool:
        return self.most_bytes is not None or self.least_free_bytes is not None

    @property
    def says_age(self) -> bool:
        """True when it says how old its events get, be it for ever."""
        return self.keep_days is not None or not self.has_size

    @property
    def exactness(self) -> tuple[bool, int, bool]:
        """Larger is more exact: a name before a pattern, more letters, a tenant of its own."""
        letters = sum(character not in "*?[]" for character in self.source)
        return (letters == len(self.source), letters, bool(self.tenant))


@dataclass(frozen=True, slots=True)
class Hold:
    """Events that nothing deletes until the hold is lifted.

    Of the sources named (patterns; none: all) of a tenant (empty: all), those whose own time or
    whose intake is in ``start <= t < until`` (None: open). With ``matching`` (a filter as of the
    search) only those that it finds.
    """

    id: str
    name: str
    reason: str
    placed_by: str
    placed_at: datetime
    sources: tuple[str, ...] = ()
    tenant: str = ""
    start: datetime | None = None
    until: datetime | None = None
    lifted_at: datetime | None = None
    lifted_by: str = ""
    lifted_because: str = ""
    matching: str = ""

    @property
    def is_lifted(self) -> bool:
        return self.lifted_at is not None

    def covers(self, tenant: str, source: str) -> bool:
        """True when events of the source may be under it."""
        if self.tenant and self.tenant != tenant:
            return False
        return not self.sources or any(fnmatchcase(source, one) for one in self.sources)
