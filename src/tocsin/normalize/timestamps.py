"""Reads event times of many formats, columnwise; bad ones are named, never fatal."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.normalize.expression import Fields
from tocsin.normalize.mapping import TimeField
from tocsin.normalize.ocsf_types import to_text

FIRST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(2200, 1, 1, tzinfo=UTC)
"""Event times are in ``FIRST <= time < LAST``; anything else is not believed."""

MISSING, UNPARSEABLE, OUT_OF_RANGE = "missing", "unparseable", "out_of_range"
_LAST_US = int((LAST - FIRST).total_seconds()) * 1_000_000
_EPOCH_SCALE = {"epoch_s": 1e6, "epoch_ms": 1e3, "epoch_us": 1.0, "epoch_ns": 1e-3}
_LARGEST = {1e11: 1e6, 1e14: 1e3, 1e17: 1.0, np.inf: 1e-3}
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_DATE = r"^\d{4}-\d\d-\d\dT"
_SYSLOG = re.compile(
    r"([A-Za-z]{3}) +(\d{1,2})(?: +(\d{4}))? +(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?"
)
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
_ISO_LOCAL, _ISO_ZONED = _ISO + "$", _ISO + "(?:Z|[+-][0-9]{2}:[0-9]{2})$"
_DIGITS = r"^[0-9]{1,15}$"
_SUB_MICROS = r"(\.[0-9]{6})[0-9]+"
_APACHE = re.compile(r"(\d\d)/([A-Za-z]{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")


@dataclass(frozen=True, slots=True)
class EventTimes:
    """Event times as timestamp[us, UTC], none null.

    Where the record's own time could not be used, ``quality`` says why and ``original`` holds
    its text; elsewhere both are null.
    """

    times: pa.Array
    quality: pa.Array | None
    original: pa.Array | None


def event_times(
    fields: Fields, wanted: Sequence[TimeField], received_us: npt.NDArray[np.int64]
) -> EventTimes:
    """The first field of ``wanted`` with a believable time, else the time of receipt.

    ``received_us`` are microseconds since 1970, one a row.
    """
    rows = len(fields)
    received_at = FIRST + timedelta(microseconds=int(received_us.max(initial=0)))
    best = np.zeros(rows, np.int64)
    known = np.zeros(rows, bool)
    seen: pa.Array | None = None
    ranged = np.zeros(rows, bool)
    for field in wanted:
        array = fields.get(field.field)
        if array is None or pa.types.is_nested(array.type):
            continue
        micros, parsed = _micros(array, field.format, received_at)
        inside = parsed & (micros >= 0) & (micros < _LAST_US)
        best = np.where(inside & ~known, micros, best)
        known |= inside
        if known.all():
            return EventTimes(_as_times(best), None, None)
        ranged |= parsed & ~inside
        text = to_text(array)
        seen = text if seen is None else pc.coalesce(seen, text)
    best = np.where(known, best, received_us)
    return _flagged(best, known, ranged, seen)


def _flagged(
    best: np.ndarray, known: np.ndarray, ranged: np.ndarray, seen: pa.Array | None
) -> EventTimes:
    bad = pa.array(~known)
    had = pa.repeat(False, len(known)) if seen is None else seen.is_valid()
    why = pc.if_else(pa.array(ranged), OUT_OF_RANGE, pc.if_else(had, UNPARSEABLE, MISSING))
    nothing = pa.scalar(None, pa.string())
    original = None if seen is None else pc.if_else(bad, seen, nothing)
    return EventTimes(_as_times(best), pc.if_else(bad, why, nothing), original)


def _as_times(micros: np.ndarray) -> pa.Array:
    return pa.array(micros, pa.int64()).cast(pa.timestamp("us", "UTC"))


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - FIRST) // timedelta(microseconds=1)


def _micros(array: pa.Array, style: str, received_at: datetime) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds since 1970 and which of them could be read."""
    scale = _EPOCH_SCALE.get(style)
    if scale is not None:
        return _epoch(array, scale)
    if style == "epoch" or (style == "iso" and not pa.types.is_string(array.type)):
        return _epoch_of_any_size(array)
    text = to_text(array)
    if style == "syslog" and pc.all(pc.match_substring_regex(text, _DATE)).as_py():
        style = "iso"  # as RFC 5424 has it
    if style != "iso":
        return _filled(_one_by_one(text, _reader(style, received_at)))
    whole = _iso_micros(text)
    return _filled(_iso_of_many_kinds(text) if whole is None else whole)


def _one_by_one(text: pa.Array, reader: Callable[[str], datetime | None]) -> pa.Array:
    coded = text.dictionary_encode()
    values = pa.array([_read(reader, value) for value in coded.dictionary.to_pylist()], pa.int64())
    return values.take(coded.indices)


def _iso_micros(text: pa.Array) -> pa.Array | None:
    """All of a column that has zones everywhere, or nowhere; None when it is not so plain.

    One value tells which: trying a whole column in vain takes forty times as long.
    """
    first = next((value for value in text if value.is_valid), None)
    if first is None:
        return pa.nulls(len(text), pa.int64())
    one = pa.array([first.as_py()], pa.string())
    kinds = (pa.timestamp("us", "UTC"), pa.timestamp("us"))
    kind = next((kind for kind in kinds if _casts(one, kind)), None)
    try:
        return None if kind is None else text.cast(kind).cast(pa.int64())
    except pa.ArrowInvalid:
        return None


def _casts(text: pa.Array, kind: pa.DataType) -> bool:
    try:
        text.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _iso_of_many_kinds(text: pa.Array) -> pa.Array:
    """The plain ones together, with a zone and without; what is left one by one."""
    cut = pc.replace_substring_regex(text, _SUB_MICROS, r"\1")
    found = pa.nulls(len(text), pa.int64())
    nothing = pa.scalar(None, pa.string())
    for pattern in (_ISO_ZONED, _ISO_LOCAL):
        micros = _iso_micros(pc.if_else(pc.match_substring_regex(cut, pattern), cut, nothing))
        if micros is not None:
            found = pc.coalesce(found, micros)
    left = pc.if_else(found.is_null(), text, nothing)
    return pc.coalesce(found, _one_by_one(left, _iso)) if left.null_count < len(left) else found


def _filled(micros: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    valid = micros.is_valid().to_numpy(zero_copy_only=False)
    return pc.fill_null(micros, 0).to_numpy(zero_copy_only=False), valid


def _epoch(array: pa.Array, scale: float) -> tuple[np.ndarray, np.ndarray]:
    if pa.types.is_string(array.type) and pc.all(pc.match_substring_regex(array, _DIGITS)).as_py():
        array = array.cast(pa.int64())  # the sooner way to the same times
    if pa.types.is_integer(array.type) and scale >= 1:
        whole = array.cast(pa.int64())
        limit = int(_LAST_US // scale) + 1
        near = pc.and_(pc.greater(whole, -limit), pc.less(whole, limit))
        clamped = pc.if_else(near, whole, pc.if_else(whole.is_null(), whole, -1))
        return _filled(pc.multiply(clamped, int(scale)))
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        numbers = array.cast(pa.float64(), safe=False)
    else:
        numbers = pa.array([_number(value) for value in array.to_pylist()], pa.float64())
    finite = pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))
    scaled = pc.round(pc.multiply(finite, scale))
    near = pc.less(pc.abs(scaled), float(_LAST_US) + 1)
    return _filled(
        pc.if_else(near, scaled, pc.if_else(scaled.is_null(), scaled, -1.0)).cast(
            pa.int64(), safe=False
        )
    )


def _epoch_of_any_size(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Seconds up to 1e11, milliseconds up to 1e14, microseconds up to 1e17, else nanoseconds."""
    if pa.types.is_string(array.type):
        whole = pc.match_substring_regex(array, r"^\d{1,18}$|^[0-8]\d{18}$")
        kind = pa.int64() if pc.all(whole).as_py() else pa.float64()
        numbers = [_number(value) for value in array.to_pylist()] if kind == pa.float64() else array
        array = numbers.cast(kind) if isinstance(numbers, pa.Array) else pa.array(numbers, kind)
    size = np.abs(np.nan_to_num(pc.fill_null(array.cast(pa.float64(), safe=False), 0).to_numpy()))
    micros, known = np.zeros(len(array), np.int64), np.zeros(len(array), np.bool_)
    under = 0.0
    for limit, scale in _LARGEST.items():
        is_mine = (size >= under) & (size < limit)
        if is_mine.any():
            found, known = _epoch(array, scale)
            micros[is_mine] = found[is_mine]
        under = limit
    return micros, known


def _number(value: object) -> float | None:
    try:
        return None if value is None else float(str(value))
    except ValueError:
        return None


def _read(reader: Callable[[str], datetime | None], text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = reader(text.strip())
        if moment is None:
            return None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return to_micros(aware)
    except (ValueError, OverflowError):
        return None


def _reader(style: str, received_at: datetime) -> Callable[[str], datetime | None]:
    if style == "syslog":
        return lambda text: _syslog(text, received_at)
    if style == "apache":
        return _apache
    if "%" in style:
        return lambda text: datetime.strptime(text, style)  # noqa: DTZ007 - _read adds UTC
    return _iso


def _iso(text: str) -> datetime | None:
    if text.endswith(" UTC"):
        text = text[:-4]
    return datetime.fromisoformat(text)


def _syslog(text: str, received_at: datetime) -> datetime | None:
    """RFC 3164 has no year: the one that puts the event at most a day after its receipt."""
    found = _SYSLOG.match(text)
    if not found:
        return _iso(text)
    month = _MONTHS.get(found[1].lower())
    if month is None:
        return None
    clock = int(found[4]), int(found[5]), int(found[6]), int((found[7] or "0").ljust(6, "0"))
    if found[3]:
        return datetime(int(found[3]), month, int(found[2]), *clock, tzinfo=UTC)
    for year in range(received_at.year + 1, received_at.year - 9, -1):
        try:
            moment = datetime(year, month, int(found[2]), *clock, tzinfo=UTC)
        except ValueError:  # 29 February
            continue
        if moment <= received_at + timedelta(days=1):
            return moment
    return None


def _apache(text: str) -> datetime | None:
    found = _APACHE.match(text)
    if not found:
        return None
    month = _MONTHS.get(found[2].lower())
    if month is None:
        return None
    clock = int(found[4]), int(found[5]), int(found[6])
    moment = datetime(int(found[3]), month, int(found[1]), *clock, tzinfo=UTC)
    offset = timedelta(hours=int(found[8]), minutes=int(found[9]))
    return moment - offset if found[7] == "+" else moment + offset
