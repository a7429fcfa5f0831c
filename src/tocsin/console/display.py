"""How values are shown: counts, sizes, durations, times, and text an attacker may have written."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo

from tocsin.app.moment import span

TEXT_LIMIT = 4096
"""Characters of one value shown on a page; the rest is cut with a note."""


def visible(value: object, limit: int = TEXT_LIMIT) -> str:
    """A value as text in which nothing hides: control and direction marks get a visible form."""
    text = as_text(value)
    cut = text[:limit]
    shown = "".join(_shown(character) for character in cut) if not cut.isprintable() else cut
    if len(text) <= limit:
        return shown
    return f"{shown}… ({len(text) - limit:,} more characters)" if limit >= 1000 else f"{shown}…"


def as_text(value: object) -> str:
    """A value as text, whole and as it is: not yet for showing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, list | tuple):
        return ", ".join(as_text(member) for member in value)
    return str(value)


def _shown(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return "\n" if character == "\n" else chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return character if character.isprintable() else f"⟨U+{code:04X}⟩"


def marked(value: object, needles: Iterable[str]) -> list[tuple[str, bool]]:
    """The visible text cut into pieces, each with whether it is one of ``needles``."""
    text = visible(value)
    wanted = sorted({visible(needle) for needle in needles if needle}, key=len, reverse=True)
    if not wanted:
        return [(text, False)]
    pattern = re.compile("|".join(re.escape(needle) for needle in wanted), re.IGNORECASE)
    pieces: list[tuple[str, bool]] = []
    end = 0
    for match in pattern.finditer(text):
        if match.start() > end:
            pieces.append((text[end : match.start()], False))
        pieces.append((match.group(), True))
        end = match.end()
    if end < len(text) or not pieces:
        pieces.append((text[end:], False))
    return pieces


def flatten(fields: Mapping[str, object], prefix: str = "") -> list[tuple[str, object]]:
    """Nested fields as dotted names in order; lists of plain values stay one value."""
    flat: list[tuple[str, object]] = []
    for name, value in fields.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            flat.extend(flatten(value, f"{path}."))
        elif isinstance(value, list) and any(isinstance(member, Mapping) for member in value):
            for at, member in enumerate(value):
                flat.extend(
                    flatten(member, f"{path}.{at}.")
                    if isinstance(member, Mapping)
                    else [(f"{path}.{at}", member)]
                )
        else:
            flat.append((path, value))
    return flat


def count(number: float) -> str:
    """A whole number with thousands separators."""
    return f"{int(number):,}"


def short_count(number: float) -> str:
    """At most four characters: ``950``, ``12k``, ``3.4M``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            scaled = number / size
            return f"{scaled:.1f}{unit}" if scaled < 10 else f"{scaled:.0f}{unit}"
    return f"{number:.0f}"


def share(part: float) -> str:
    """A share of one as percent; what is there at all is never 0 %."""
    if 0 < part < 0.001:
        return "<0.1 %"
    percent = 100 * part
    return f"{percent:.1f} %" if 0 < percent < 10 and percent % 1 else f"{percent:.0f} %"


def size(size_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def cpu(seconds: float) -> str:
    """Processor time to two figures: ``4.2 ms``, ``1.3 s``, ``2 h 10 min``."""
    if seconds >= 60:
        return span(seconds)
    value, unit = (seconds, "s") if seconds >= 0.1 else (seconds * 1000, "ms")
    return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"


def ago(moment: datetime | None, now: datetime) -> str:
    """How far away a time is: ``4 min ago``, ``in 2 h 10 min``."""
    if moment is None:
        return "never"
    distance = (now - moment).total_seconds()
    if abs(distance) < 1:
        return "now"
    text = span(abs(distance))
    return f"{' '.join(text.split(' ')[:2])} ago" if distance > 0 else f"in {text}"


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(moment: datetime, now: datetime) -> str:
    """A time as short as it stays clear: the hour today, else month and day as well (UTC)."""
    moment = moment.astimezone(UTC)
    if moment.date() == now.astimezone(UTC).date():
        return moment.strftime("%H:%M:%S")
    if moment.year == now.year:
        return moment.strftime("%b %d %H:%M")
    return moment.strftime("%Y-%m-%d %H:%M")


def exact(moment: datetime, now: datetime, zone: tzinfo = UTC) -> str:
    """Date where it is not today, and the time to the millisecond."""
    moment, now = in_zone(moment, zone), in_zone(now, zone)
    time = moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"
    if moment.date() == now.date():
        return time
    return f"{moment.strftime('%b %d' if moment.year == now.year else '%Y-%m-%d')} {time}"


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """The time in a zone; at the ends of the calendar, where there is none, in UTC."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment.astimezone(UTC)


def words(name: str) -> str:
    """``benign_true_positive`` as ``Benign true positive``."""
    text = name.replace("_", " ").replace("-", " ")
    return text[:1].upper() + text[1:]


def initials(name: str) -> str:
    parts = [part for part in re.split(r"[\s._@-]+", name) if part]
    return "".join(part[0] for part in parts[:2]) or "?"
