"""Event times are read from many formats; bad ones are kept, named and never fatal."""

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.normalize.columns import columns_of
from tocsin.normalize.expression import Fields
from tocsin.normalize.mapping import TimeField
from tocsin.normalize.timestamps import FIRST, LAST, event_times, to_micros

RECEIVED = datetime(2026, 1, 3, 12, 0, tzinfo=UTC)


def _received(rows: int) -> npt.NDArray[np.int64]:
    return np.full(rows, to_micros(RECEIVED), np.int64)


def _time(value: object, style: str = "iso") -> tuple[datetime, str | None, str | None]:
    found = event_times(
        Fields(columns_of([{"t": value}])), [TimeField(field="t", format=style)], _received(1)
    )
    quality = None if found.quality is None else found.quality[0].as_py()
    original = None if found.original is None else found.original[0].as_py()
    return found.times[0].as_py(), quality, original


@pytest.mark.parametrize(
    ("value", "style", "expected"),
    [
        ("2026-01-02T03:04:05.678901Z", "iso", datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)),
        ("2026-01-02T03:04:05.6789012Z", "iso", datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)),
        ("2026-01-02 03:04:05.678", "iso", datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)),
        ("2026-01-02T03:04:05+0200", "iso", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        (1767323045, "epoch_s", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("1767323045.25", "epoch_s", datetime(2026, 1, 2, 3, 4, 5, 250000, UTC)),
        (1767323045250, "epoch_ms", datetime(2026, 1, 2, 3, 4, 5, 250000, UTC)),
        (1767323045250, "iso", datetime(2026, 1, 2, 3, 4, 5, 250000, UTC)),
        (1767323045.5, "iso", datetime(2026, 1, 2, 3, 4, 5, 500000, UTC)),
        (1767323045250001, "epoch_us", datetime(2026, 1, 2, 3, 4, 5, 250001, UTC)),
        ("Jan  2 03:04:05", "syslog", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("Dec 31 23:59:59", "syslog", datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("Feb 29 10:00:00", "syslog", datetime(2024, 2, 29, 10, tzinfo=UTC)),
        ("2026-01-02T03:04:05Z", "syslog", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("02/Jan/2026:03:04:05 +0130", "apache", datetime(2026, 1, 2, 1, 34, 5, tzinfo=UTC)),
        ("2026/01/02 03:04:05", "%Y/%m/%d %H:%M:%S", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ],
)
def test_formats_are_read(value: object, style: str, expected: datetime) -> None:
    assert _time(value, style) == (expected, None, None)


@pytest.mark.parametrize(
    ("value", "style", "quality"),
    [
        ("1601-01-01T00:00:00Z", "iso", "out_of_range"),
        ("9999-12-31T23:59:59Z", "iso", "out_of_range"),
        ("2200-01-01T00:00:00Z", "iso", "out_of_range"),
        (-1, "epoch_s", "out_of_range"),
        (2**62, "epoch_s", "out_of_range"),
        (1e300, "epoch_ms", "out_of_range"),
        ("yesterday", "iso", "unparseable"),
        ("", "iso", "unparseable"),
        ("2026-13-01T00:00:00Z", "iso", "unparseable"),
        ("Foo 31 10:00:00", "syslog", "unparseable"),
        ("99/Foo/2026:03:04:05 +0130", "apache", "unparseable"),
        ("nan", "epoch_s", "unparseable"),
        (None, "iso", "missing"),
    ],
)
def test_unbelievable_times_fall_back_to_receipt(value: object, style: str, quality: str) -> None:
    time, found, original = _time(value, style)
    assert time == RECEIVED
    assert found == quality
    assert (original is None) == (value is None)


def test_the_first_believable_field_counts() -> None:
    rows = [
        {"a": "1601-01-01T00:00:00Z", "b": "2026-01-02T00:00:00Z"},
        {"a": "2026-01-01T00:00:00Z"},
    ]
    fields = Fields(columns_of(rows))
    found = event_times(fields, [TimeField(field="a"), TimeField(field="b")], _received(2))
    assert [time.day for time in found.times.to_pylist()] == [2, 1]
    assert found.quality is None


@given(
    st.lists(
        st.text(max_size=30) | st.integers() | st.floats() | st.datetimes().map(datetime.isoformat),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["iso", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "syslog", "apache"]),
)
@settings(max_examples=300, deadline=None)
def test_no_time_is_fatal(values: list[object], style: str) -> None:
    fields = Fields(columns_of([{"t": value} for value in values]))
    found = event_times(fields, [TimeField(field="t", format=style)], _received(len(values)))
    assert all(FIRST <= time < LAST for time in found.times.to_pylist())


@pytest.mark.parametrize("text", ["1782820800", "1782820800000", "1782820800000000", "1782820800000000000", "1782820800.0"])  # fmt: skip
def test_a_count_tells_its_unit_by_its_size(text: str) -> None:
    assert _time(text, "epoch")[0] == datetime(2026, 6, 30, 12, tzinfo=UTC)
