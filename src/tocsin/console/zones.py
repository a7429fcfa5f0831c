"""Time zones a page can be read in, by their IANA names."""

from datetime import UTC, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

_names = cache(available_timezones)


def zone_of(name: str) -> tzinfo:
    """The zone of that name ("" is UTC); raises ValueError when there is none."""
    if name in ("", "UTC"):
        return UTC
    if name not in _names():
        raise ValueError(f"there is no time zone {name[:60]!r}; write UTC or one like Europe/Oslo")
    return ZoneInfo(name)
