"""What a rule recognized in an event's fields, made ready to be marked on the page."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.console.display import flatten, marked
from tocsin.model.alert import Exemplar
from tocsin.model.finding import MatchedField

_WILDCARDS = re.compile(r"(?<!\\)[*?]+")


@dataclass(frozen=True, slots=True)
class ShownField:
    """One field: its visible text in pieces (text, is marked), and the rule's side of it."""

    name: str
    pieces: list[tuple[str, bool]]
    patterns: tuple[str, ...] = ()


def matched_fields(exemplar: Exemplar) -> list[ShownField]:
    """The fields the rule recognized, the recognized part of each value marked."""
    patterns: dict[str, list[str]] = {}
    values: dict[str, str] = {}
    for match in exemplar.matched:
        patterns.setdefault(match.name, []).append(match.pattern)
        values.setdefault(match.name, match.value)
    return [
        ShownField(name, marked(value, _needles(value, patterns[name])), tuple(patterns[name]))
        for name, value in values.items()
    ]


def all_fields(exemplar: Exemplar) -> list[ShownField]:
    """Every native field of the event in its order; the matched ones are marked."""
    needles = {match.name: _needles(match.value, [match.pattern]) for match in exemplar.matched}
    return [
        ShownField(name, marked(value, needles.get(name, ())))
        for name, value in flatten(exemplar.fields)
    ]


def _needles(value: str, patterns: Iterable[str]) -> list[str]:
    """The parts of ``value`` the patterns name; all of it when none is found literally."""
    lowered = value.lower()
    found = [
        part
        for pattern in patterns
        for part in _WILDCARDS.split(pattern.partition(": ")[2])
        if len(part) > 1 and part.lower() in lowered
    ]
    return found or [value]


def in_words(match: MatchedField) -> str:
    """``CommandLine|contains: x`` as ``CommandLine contains x``."""
    name, _, wanted = match.pattern.partition(": ")
    return f"{name.replace('|', ' ')} {wanted}" if wanted else match.pattern
