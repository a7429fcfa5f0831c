"""JSON columns as text and back, quickly where nothing is lost by it."""

import json
import re
from typing import Any

import orjson

_LONG_NUMBER = re.compile(r"\d{19}")
"""What may not fit 64 bits, which only the standard library reads exactly."""
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def json_text(value: Any) -> str:
    """The text of a value of objects, lists, texts, numbers; TypeError for any other."""
    try:
        return orjson.dumps(value, option=_OPTIONS).decode()
    except TypeError:  # numbers beyond 64 bits, letters beyond Unicode, keys that are no texts
        return json.dumps(value)


def json_value(text: str | bytes) -> Any:
    """What a text of ``json_text``, or of an earlier build, stands for."""
    whole = text if isinstance(text, str) else bytes(text).decode()
    if _LONG_NUMBER.search(whole) is None:
        try:
            return orjson.loads(whole)
        except orjson.JSONDecodeError:  # half of a letter, or NaN
            pass
    return json.loads(whole)
