"""Structured data of RFC 5424 as columns: elements and their parameters for many lines at once."""

import re
from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc

from tocsin.ingest.columns.decode_lines import Numbers
from tocsin.ingest.columns.text_columns import Column, parts_of
from tocsin.ingest.columns.text_header_parts import INNER
from tocsin.ingest.columns.text_pairs import PADDING, Pairs, alike

_NAME = r"[!#-<>-\[^-~]+"  # no blank, quote, equals sign or closing bracket
DATA = rf"^(?P<data>(?:\[{_NAME}(?: +{_NAME}=\"[^\"\\]*\")+\])+)(?: |$)"
"""Elements with parameters, nothing in them escaped."""
NO_DATA = r"^\[(?:[ =\]\"]|[!#-<>-\[^-~]+[=\"])"
"""What begins like structured data and is none, so that it belongs to the message."""
_FIELD = "structured_data"
_LONGEST = 255
_PLACE = re.compile(r"(?:\]?\[(?P<element>[^ ]+))? +(?P<name>[^ ]+)")
_QUOTE = ord('"')


def read_structured(texts: Column, fewest: int) -> Iterator[tuple[Numbers, dict[str, Column]]]:
    """Texts with the same elements and parameters: which, and the values; ``fewest`` at least.

    Each text is what ``DATA`` finds. Left out are those in which something comes twice.
    """
    ended = pc.binary_join_element_wise(texts, "\n", "")
    offsets, data = parts_of(ended)
    data = np.append(data[: offsets[-1]], PADDING)
    quotes = np.flatnonzero(data == _QUOTE)
    opens, closes = quotes[0::2], quotes[1::2]
    firsts = np.searchsorted(opens, offsets[:-1])
    counts = np.diff(np.append(firsts, len(opens)))
    begins = np.concatenate((np.zeros(1, np.int64), closes[:-1] + 1))
    begins[firsts] = offsets[:-1]
    pairs = Pairs(data, begins, opens, closes, np.zeros(len(opens), np.bool_), firsts, counts)
    for found in alike(pairs, counts > 0, fewest, _PLACE.fullmatch):
        places = _places(list(found.values))
        if places is not None:
            yield found.texts, dict(zip(places, found.values.values(), strict=True))


def _places(names: list[str]) -> list[str] | None:
    """Where the values go, told from what stands before each; None where that isn't one place."""
    places: list[str] = []
    element, elements = "", 0
    for name in names:
        told = _PLACE.fullmatch(name)
        if told is None:
            return None
        if told["element"] is not None:
            element, elements = told["element"], elements + 1
        if max(len(element), len(told["name"])) > _LONGEST:
            return None
        places.append(INNER.join((_FIELD, element, told["name"])))
    is_once = len(set(places)) == len(places)
    return (
        places if is_once and len({place.split(INNER)[1] for place in places}) == elements else None
    )
