"""One map of a rule document, read key by key: what has not the right shape is refused."""

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tocsin.detect.errors import Unsupported
from tocsin.detect.reading.rule_document import RuleDocument

_SPAN = re.compile(r"([0-9]{1,12})([smhdwMy])")
_UNIT_S = {
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86400,
    "w": 604800,
    "M": 2629746,
    "y": 31556952,
}
"""Seconds of each timespan unit; month and year are the means of the Gregorian calendar."""

LONGEST_SPAN = timedelta(days=3660)


class Section:
    """The map at ``steps`` of a document. Every refusal names the line of its key."""

    def __init__(self, document: RuleDocument, *steps: str) -> None:
        self.document = document
        self.steps = steps
        content: Any = document.content
        for step in steps:
            content = content.get(step)
        if not isinstance(content, Mapping):
            raise Unsupported(f"{'/'.join(steps)} must be a map", line=self.line())
        self.content: Mapping[Any, Any] = content

    def line(self, *steps: str) -> int:
        """The line of a key below this map, else of the nearest key above it."""
        path = (*self.steps, *steps)
        lines = self.document.lines
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path, self.document.line)

    def refuse(self, reason: str, *steps: str) -> Unsupported:
        """What to raise for the key ``steps`` of this map."""
        return Unsupported(reason, line=self.line(*steps))

    def only(self, *known: str) -> None:
        """Raise ``Unsupported`` when the map has a key that is not ``known``."""
        for key in self.content:
            if key not in known:
                wanted = ", ".join(known)
                raise self.refuse(f"unknown key {key} in {self.name}: known are {wanted}", str(key))

    @property
    def name(self) -> str:
        return "/".join(self.steps)

    def text(self, key: str, default: str | None = None) -> str:
        """A text; ``default`` None: the key must be there."""
        value = self.content.get(key, default)
        if value is None:
            raise self.refuse(f"{self.name}/{key} is missing", key)
        if not isinstance(value, str) or (not value and default is None):
            raise self.refuse(f"{self.name}/{key} must be a text", key)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A text or a list of them, none twice; empty when the key is not there."""
        value = self.content.get(key)
        if value is None:
            return ()
        several = value if isinstance(value, list) else [value]
        seen: set[str] = set()
        for at, one in enumerate(several):
            if not isinstance(one, str) or not one:
                raise self.refuse(f"{self.name}/{key} must be a list of texts", key, str(at))
            if one in seen:
                raise self.refuse(f"{self.name}/{key} names {one} twice", key, str(at))
            seen.add(one)
        return tuple(several)

    def flag(self, key: str) -> bool:
        """A yes or no; no when the key is not there."""
        value = self.content.get(key, False)
        if not isinstance(value, bool):
            raise self.refuse(f"{self.name}/{key} must be true or false", key)
        return value

    def number(self, key: str) -> float:
        """A finite number."""
        value = self.content.get(key)
        try:
            if isinstance(value, int | float) and not isinstance(value, bool):
                number = float(value)
                if math.isfinite(number):
                    return number
        except OverflowError:
            pass
        raise self.refuse(f"{self.name}/{key} must be a number", key)

    def span(self, key: str, default: timedelta | None = None) -> timedelta:
        """A timespan such as ``90m``: a number and one of s, m, h, d, w, M (month), y."""
        value = self.content.get(key)
        if value is None and default is not None:
            return default
        span = span_of(value)
        if span is None or (not span and default is None):
            how = "a number above 0 and one of s, m, h, d, w, M, y, such as 90m"
            said = "is missing" if value is None else f"{value!r} is no timespan"
            raise self.refuse(f"{self.name}/{key} {said}: write {how}", key)
        if span > LONGEST_SPAN:
            raise self.refuse(f"{self.name}/{key} is longer than ten years", key)
        return span


def span_of(value: object) -> timedelta | None:
    """The length of a Sigma timespan (``10m``), or None when it is none."""
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    seconds = int(match[1]) * _UNIT_S[match[2]]
    return timedelta(seconds=min(seconds, 2 * LONGEST_SPAN.total_seconds()))
