"""An exception as it is written on a page: fields of a picked event, and lines of conditions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.datastructures import FormData

from tocsin.console.display import flatten
from tocsin.console.visit import Refused
from tocsin.detect.authoring.rule_drafting import escaped
from tocsin.model.alert import Alert

HOW = {"": "is", "contains": "contains", "startswith": "starts with", "endswith": "ends with"}
"""The Sigma modifiers a picked field can be compared with, and how the page says them."""
_VALUE_LIMIT = 2_000
_MOST_FIELDS = 200
_LINES_LIMIT = 900_000


@dataclass(frozen=True, slots=True)
class OfferedField:
    """A field of the picked event; ``is_chosen`` when it is ticked from the beginning."""

    name: str
    value: str
    is_chosen: bool


def offered_fields(
    event: Mapping[str, object], matched: Iterable[str], names: Iterable[str]
) -> list[OfferedField]:
    """The event's fields, ticked ones first: what the rule recognized, and whom it is about.

    That is as narrow as can be; people untick to hide more. ``names`` are of the entities.
    """
    recognized = {name.casefold() for name in matched}
    about = {name.casefold() for name in names}
    offered = []
    for name, value in flatten(event)[:_MOST_FIELDS]:
        in_list = any(part.isdecimal() for part in name.split("."))
        if in_list or isinstance(value, list | tuple) or value is None or value == "":
            continue
        text = str(value).lower() if isinstance(value, bool) else str(value)
        is_chosen = name.casefold() in recognized or _is_about(text, about)
        if len(text) <= _VALUE_LIMIT:
            offered.append(OfferedField(name, text, is_chosen))
    return sorted(offered, key=lambda one: not one.is_chosen)


def _is_about(text: str, names: set[str]) -> bool:
    r"""The entity itself, also written ``DOMAIN\name`` or as a full host name."""
    lowered = text.casefold()
    return bool(names & {lowered, lowered.rpartition("\\")[2], lowered.partition(".")[0]})


def picked_event(
    alerts: Iterable[Alert], event_id: str
) -> tuple[Alert, Mapping[str, object]] | None:
    """The alert that keeps the event, and the event's native fields."""
    for alert in alerts:
        for one in alert.exemplars:
            if one.event_id == event_id:
                return alert, one.fields
    return None


def fields_of(form: FormData) -> dict[str, list[str]]:
    """What the form asks for: the ticked fields of the event, then the lines.

    Raises ``Refused`` when it asks for nothing, or a line is no condition.
    """
    fields: dict[str, list[str]] = {}
    for number in form.getlist("use"):
        name, how, value = (_text(form, f"{part}-{number}") for part in ("name", "how", "value"))
        if not name or not value:
            raise Refused(
                f"The value of {name or 'a ticked field'} is empty: give one or untick it."
            )
        if how not in HOW:
            raise Refused(f"Choose how {name[:80]} is compared.")
        key = f"{name}|{how}" if how else name
        fields.setdefault(key, []).append(escaped(value))
    for name, values in fields_written(_text(form, "fields", _LINES_LIMIT)).items():
        fields.setdefault(name, []).extend(values)
    if not fields:
        raise Refused("Say what the exception is for: a field, a colon and a value on each line.")
    return fields


def fields_written(text: str) -> dict[str, list[str]]:
    """Lines of ``field|modifier: value`` as a map; a field given again has all its values.

    Raises ``Refused`` with the line that is none.
    """
    fields: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or not value.strip():
            raise Refused(
                f"Line {number} is no condition: write a field, a colon and a value, such as "
                "User: svc-backup or Image|endswith: \\backup.exe."
            )
        fields.setdefault(name.strip(), []).append(value.strip())
    return fields


def end_of_day(text: str) -> datetime | None:
    """The end of a day (UTC) as a date field sends it; None when it was left empty."""
    if not text:
        return None
    try:
        day = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(f"{text[:40]} is no date; write it as 2026-12-31.") from error
    return day.replace(hour=23, minute=59, second=59, tzinfo=UTC)


def _text(form: FormData, name: str, limit: int = _VALUE_LIMIT) -> str:
    value = form.get(name, "")
    return value.strip()[:limit] if isinstance(value, str) else ""
