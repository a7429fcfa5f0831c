"""What goes into JSON columns as text, quickly where nothing is lost by it.

It is read by the standard library, which alone gives numbers of any length back as they were.
"""

import json
from typing import Any

import orjson

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def json_text(value: Any) -> str:
    """The text of a value of objects, lists, texts, numbers; TypeError for any other.

    What is no number (NaN, infinity) becomes null: JSON has no such thing, PostgreSQL refuses it.
    """
    try:
        return orjson.dumps(value, option=_OPTIONS).decode()
    except TypeError:  # numbers beyond 64 bits, letters beyond Unicode, keys that are no texts
        return json.dumps(value)
