"""What type an OCSF column has and what makes a value fit for it, told from its last name."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.normalize.json_column import json_column

INTEGERS = frozenset(
    {"access_mask", "actual_permissions", "attempt", "code", "count", "duration", "exit_code"}
    | {"bytes", "bytes_in", "bytes_missed", "bytes_out", "packets", "packets_in", "packets_out"}
    | {"body_length", "length", "key_length", "size", "sequence", "lease_dur", "ttl"}
    | {"pid", "tid", "port", "tcp_flags", "number", "protocol_num", "opnum", "http_status"}
    | {"class_uid", "category_uid", "type_uid"}
)
TEXT_IDS = frozenset({"event_id"})
NARROW = frozenset({"class_uid", "category_uid", "activity_id", "severity_id", "status_id"})
_ADDRESS = r"^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?:%.+)?)$"
_MAPPED = r"^::[fF]{4}:(\d{1,3}(?:\.\d{1,3}){3})$"
_FEW, _MANY, _SAMPLED = 256, 4_096, 1_024
_OFTEN_NEW = 0.95
"""Where half of a column's values differ, so many of a sample's do."""
_WHOLE = r"^[+-]?\d{1,18}$"


def type_of(path: str) -> pa.DataType:
    """The Arrow type of the column named by a dotted OCSF path.

    Identifiers (``*_id``) and the quantities in ``INTEGERS`` are integers, ``is_*`` and
    ``has_*`` truth values, ``*_time`` milliseconds since 1970 (UTC); anything else is text.
    """
    leaf = path.rpartition(".")[2]
    if path in NARROW:
        return pa.int32()
    if path.startswith("unmapped."):
        return pa.string()
    if leaf in INTEGERS or (leaf.endswith("_id") and leaf not in TEXT_IDS):
        return pa.int64()
    if leaf.startswith(("is_", "has_")):
        return pa.bool_()
    if leaf.endswith("_time") and leaf != "original_time":
        return pa.int64()
    return pa.string()


Fitting = Callable[[pa.Array], pa.Array]


def fitting(path: str) -> Fitting:
    """How a value becomes one of the column ``path``: what doesn't fit or means nothing is null.

    Empty text and ``-`` are null, host names are lower-case, addresses are addresses (an
    IPv4 address mapped into IPv6 is the IPv4 one). A list stays a list, its members as text.
    """
    wanted = type_of(path)
    if pa.types.is_string(wanted):
        finish = _FINISH.get(path.rpartition(".")[2])
        single: Fitting = _text if finish is None else lambda array: finish(_text(array))
    elif pa.types.is_boolean(wanted):
        single = to_boolean
    elif wanted == pa.int32():
        single = _to_narrow
    else:
        single = to_integer
    return lambda array: _text_lists(array) if pa.types.is_list(array.type) else single(array)


_NOTHING = pc.SetLookupOptions(value_set=pa.array(["", "-"]))
_NO_TEXT = pa.scalar(None, pa.string())


def meaningful(text: pa.Array) -> pa.Array:
    """Text without what means nothing: empty values and ``-`` are null."""
    shortest = pc.min(pc.binary_length(text)).as_py()
    if shortest is None or shortest > 1:  # a tenth of what looking the values up costs
        return text
    nothing = pc.is_in(text, options=_NOTHING)
    return pc.if_else(nothing, _NO_TEXT, text) if nothing.true_count else text


def _text(array: pa.Array) -> pa.Array:
    return meaningful(to_text(array))


def to_text(array: pa.Array) -> pa.Array:
    """Text of anything: truth as ``true``/``false``, whole floats without ``.0``, else JSON."""
    if pa.types.is_string(array.type):
        return array
    if pa.types.is_dictionary(array.type):
        return array.dictionary_decode()
    if pa.types.is_nested(array.type):
        return as_json(array)
    if pa.types.is_floating(array.type):
        return pa.array([_number_text(value) for value in array.to_pylist()], pa.string())
    return array.cast(pa.string())


def as_json(array: pa.Array) -> pa.Array:
    """The JSON text of each value, null fields left out."""
    return json_column(array) if pa.types.is_nested(array.type) else to_text(array)


def _number_text(value: float | None) -> str | None:
    if value is None:
        return None
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def to_integer(array: pa.Array) -> pa.Array:
    """Whole numbers as int64; text that is none is null, fractions are cut off."""
    if array.type == pa.int64():
        return array
    if pa.types.is_integer(array.type):
        return array.cast(pa.int64())
    if pa.types.is_floating(array.type):
        inside = pc.less(pc.abs(array), 2.0**63)
        return pc.if_else(inside, array, None).cast(pa.int64(), safe=False)
    if pa.types.is_boolean(array.type):
        return array.cast(pa.int64())
    text = to_text(array)
    whole = pc.match_substring_regex(text, _WHOLE)
    numbers = pc.if_else(whole, text, _NO_TEXT)
    try:
        return numbers.cast(pa.int64())
    except pa.ArrowInvalid:  # Arrow reads no sign but a minus
        return pc.utf8_ltrim(numbers, characters="+").cast(pa.int64())


def to_boolean(array: pa.Array) -> pa.Array:
    """Truth from truth, numbers (not zero) or text (true/yes/1, false/no/0); else null."""
    if pa.types.is_boolean(array.type):
        return array
    text = pc.utf8_lower(to_text(array))
    true = pc.is_in(text, value_set=pa.array(["true", "yes", "1", "t"]))
    false = pc.is_in(text, value_set=pa.array(["false", "no", "0", "f"]))
    return pc.if_else(true, True, pc.if_else(false, False, pa.scalar(None, pa.bool_())))


def _to_narrow(array: pa.Array) -> pa.Array:
    whole = to_integer(array)
    try:
        return whole.cast(pa.int32())
    except pa.ArrowInvalid:
        fits = pc.and_(pc.greater_equal(whole, -(2**31)), pc.less(whole, 2**31))
        return pc.if_else(fits, whole, None).cast(pa.int32())


def _text_lists(array: pa.Array) -> pa.Array:
    members = array.values
    if pa.types.is_string(members.type) or pa.types.is_nested(members.type):
        return array
    return pa.ListArray.from_arrays(
        array.offsets, to_text(members), mask=array.is_null() if array.null_count else None
    )


def on_distinct(text: pa.Array, compute: Fitting) -> pa.Array:
    """``compute`` of a text column; of each distinct value once where many are the same."""
    text = coded(text)
    if not pa.types.is_dictionary(text.type):
        return compute(text)
    return compute(text.dictionary).take(text.indices)


def coded(array: pa.Array) -> pa.Array:
    """A text column as a dictionary and codes where many values are the same; others as they are."""
    if not pa.types.is_string(array.type) or len(array) < _FEW or _differs(array):
        return array
    found = array.dictionary_encode()
    return array if len(found.dictionary) * 2 > len(array) else found


def texts(array: pa.Array) -> pa.Array:
    """``to_text``, but what is ``coded`` stays so."""
    return array if pa.types.is_dictionary(array.type) else to_text(array)


def _differs(text: pa.Array) -> bool:
    """True when a sample says that most values come once: then coding them all is in vain."""
    if len(text) < _MANY:
        return False
    sample = text.take(pa.array(np.arange(0, len(text), len(text) // _SAMPLED)))
    return bool(pc.count_distinct(sample).as_py() > _OFTEN_NEW * len(sample))


def _address(text: pa.Array) -> pa.Array:
    return on_distinct(text, _plain_address)


def _plain_address(text: pa.Array) -> pa.Array:
    text = pc.replace_substring_regex(text, _MAPPED, r"\1")
    return pc.if_else(pc.match_substring_regex(text, _ADDRESS), text, _NO_TEXT)


_FINISH: dict[str, Callable[[pa.Array], pa.Array]] = {
    "ip": _address,
    "hostname": pc.utf8_lower,
}
