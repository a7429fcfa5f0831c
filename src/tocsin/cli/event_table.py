"""Events found, as a table for people, and how many there were over time as bars."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tocsin.app.event_field import field_of
from tocsin.cli.output import out, print_table

_USUAL = ("source", "lane", "host", "user", "message")
_LONGEST = 120
_BAR_WIDTH = 60
_EIGHTHS = " ▏▎▍▌▋▊▉"


def show_events(answer: Mapping[str, Any], columns: Sequence[str]) -> None:
    """The table of an answer to a search; ``columns`` are field names (none: the usual ones)."""
    shown = tuple(columns) or _USUAL
    rows = [
        (event["time"], *(_text(_value(event, name)) for name in shown))
        for event in answer["events"]
    ]
    print_table("", ("time", *shown), rows)
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
    for bucket in buckets:
        bar = _bar(bucket["count"] / most if most else 0)
        start = datetime.fromisoformat(bucket["start"])
        out.print(f"{start:%Y-%m-%d %H:%M:%S}  {bar:<{_BAR_WIDTH}} {bucket['count']:>10,}")
    out.print(f"{sum(bucket['count'] for bucket in buckets):,} events, times in UTC", markup=False)


def _bar(share: float) -> str:
    """Blocks to an eighth; what is there at all is seen."""
    eighths = max(round(share * _BAR_WIDTH * 8), 1 if share else 0)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def _value(event: Mapping[str, Any], name: str) -> Any:
    if name == "user":
        return field_of(event, "user") or field_of(event, "actor")
    return field_of(event, name)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))[:_LONGEST]
    return "" if value is None else str(value)[:_LONGEST]
