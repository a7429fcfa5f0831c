"""People write times as ISO 8601 or relative to now."""

from datetime import UTC, datetime, timedelta

import pytest

from tocsin.app.moment import parse_moment, span

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("now-24h", NOW - timedelta(hours=24)),
        ("now-90s", NOW - timedelta(seconds=90)),
        ("now-2w", NOW - timedelta(weeks=2)),
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-11-21T10:00:00Z", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("2026-11-21T10:00:00+02:00", datetime(2026, 11, 21, 8, tzinfo=UTC)),
    ],
)
def test_a_time_is_understood(text: str, expected: datetime) -> None:
    assert parse_moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["yesterday", "now+1h", "now-5y", "2026-13-01", ""])
def test_anything_else_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="now-24h"):
        parse_moment(text, NOW)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3725, "1 h 2 min"), (90_000, "1 d 1 h")],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: int, text: str) -> None:
    assert span(seconds) == text
