"""Events found, as a table for people, and how many there were over time as bars."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tocsin.app.searches.event_field import field_of
from tocsin.cli.output import is_readable, out, print_table

_USUAL = ("source", "lane", "host", "user", "message")
_FIRST_TO_GO = ("lane", "source", "user")
"""On a narrow terminal, when nobody has chosen columns."""
_LONGEST = 120
_BAR_WIDTH = 60
_BESIDE_BAR = 35
"""Columns a line of the histogram needs for the time and the count."""
_EIGHTHS = " ▏▎▍▌▋▊▉"


def show_events(answer: Mapping[str, Any], columns: Sequence[str]) -> None:
    """The table of an answer to a search; ``columns`` are field names (none: the usual ones)."""
    wanted = tuple(columns) or _USUAL
    rows = [
        {"time": _moment(event["time"]), **{name: _text(_value(event, name)) for name in wanted}}
        for event in answer["events"]
    ]
    shown = ("time", *wanted) if columns else _fitting(("time", *wanted), rows)
    print_table("", shown, ([row[name] for name in shown] for row in rows))
    if left_out := [name for name in wanted if name not in shown]:
        out.print(f"The terminal has no room for {', '.join(left_out)}; --columns chooses.")
    for problem in answer["problems"]:
        out.print(problem, style="red", markup=False)
    out.print(
        f"{len(rows)} of {answer['total']} events; {answer['searched_rows']} searched in "
        f"{answer['took_ms']:.0f} ms",
        markup=False,
    )


def show_histogram(buckets: Sequence[Mapping[str, Any]]) -> None:
    """One line a span: when it begins, a bar, how many events."""
    most = max((bucket["count"] for bucket in buckets), default=0)
    width = max(8, min(_BAR_WIDTH, out.width - _BESIDE_BAR))
    for bucket in buckets:
        bar = _bar(bucket["count"] / most if most else 0, width)
        start = datetime.fromisoformat(bucket["start"])
        out.print(f"{start:%Y-%m-%d %H:%M:%S}  {bar:<{width}} {bucket['count']:>10,}")
    out.print(f"{sum(bucket['count'] for bucket in buckets):,} events, times in UTC", markup=False)


def show_split(answer: Mapping[str, Any]) -> None:
    """A line a span: when it begins, how many events, and how many of each value."""
    values = [value or "(empty)" for value in answer["values"]]
    rows = [
        (_moment(bucket["start"]), bucket["count"], *(one[at] for one in answer["counts"]), others)
        for at, (bucket, others) in enumerate(zip(answer["buckets"], answer["others"], strict=True))
    ]
    print_table("", ("from", "events", *values, "others or none"), rows)


def _fitting(columns: tuple[str, ...], rows: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Fewer columns where the terminal is too narrow to read them all in."""
    for name in _FIRST_TO_GO:
        if is_readable(columns, [[row[column] for column in columns] for row in rows]):
            break
        columns = tuple(one for one in columns if one != name)
    return columns


def _moment(text: str) -> str:
    """To the millisecond, which is as fine as one reads."""
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def _bar(share: float, width: int) -> str:
    """Blocks to an eighth; what is there at all is seen."""
    eighths = max(round(share * width * 8), 1 if share else 0)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def _value(event: Mapping[str, Any], name: str) -> Any:
    if name == "user":
        return field_of(event, "user") or field_of(event, "actor")
    return field_of(event, name)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))[:_LONGEST]
    return "" if value is None else str(value)[:_LONGEST]
