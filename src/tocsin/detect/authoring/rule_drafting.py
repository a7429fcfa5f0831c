"""Drafts a rule from picked events: what they share, and tests made of them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import yaml

from tocsin.detect.errors import DetectError
from tocsin.detect.rules.value_text import text_of
from tocsin.model.field_path import values_at
from tocsin.model.lane import LogSource
from tocsin.model.severity import Level

_MOST_FIELDS = 4
_MOST_WORDS = 4
_SHORTEST_WORD = 4
_LONGEST_VALUE = 300
_MOST_TESTS = 20
_VOLATILE = re.compile(
    r"(?i)(time|date|guid|uuid|hash|sha\d|md5|imphash|pid|processid|threadid|recordid|logonid"
    r"|session|sequence|version|computer|host(name)?|port|uid|\bid$|user(name)?|ip(addr)?(ess)?)"
)
_FILE = re.compile(r"[\\/][^\\/]+$")
_WORD = re.compile(r"[^\s\"'=,;()|&<>]+")

Event = Mapping[str, object]


class NothingShared(DetectError):
    """The events have nothing in common that could tell them from others."""


@dataclass(frozen=True, slots=True)
class Wished:
    """What the rule is to be called and say of itself."""

    title: str
    level: Level
    rule_id: str
    today: date
    author: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Shared:
    """A condition that holds for every event: ``key`` is ``field|modifier``."""

    field: str
    key: str
    values: tuple[str, ...]


def draft_rule(
    events: Sequence[Event], logsource: LogSource, asked: Mapping[str, int], wished: Wished
) -> str:
    """A Sigma rule text that matches all ``events``, with tests made of them and a near miss.

    ``asked`` says how many known rules of the log source look at a field: such fields are taken
    first, as they tell attacks from others. Raises NothingShared.
    """
    events = [dict(leaves(event)) for event in events]
    shared = _chosen(events, asked)
    if not shared:
        raise NothingShared(
            "the events share no value that could tell them from others: pick events that are "
            "more alike, or fewer"
        )
    kept = {name for one in shared for name in [one.field]} | {
        name for name in _fields(events) if asked.get(name, 0)
    }
    detection: dict[str, object] = {
        "selection": {one.key: _one_or_many(one.values) for one in shared},
        "condition": "selection",
    }
    description = (
        f"Finds events like {'the one' if len(events) == 1 else f'the {len(events)}'} picked: "
        f"{', '.join(one.field for one in shared)} as they had it. Say here why that matters."
    )
    tests = list(_tests(events, shared[0], kept))
    return rule_text(logsource, detection, wished, description, tests)


def rule_text(
    logsource: LogSource,
    detection: Mapping[str, object],
    wished: Wished,
    description: str,
    tests: Sequence[Mapping[str, object]],
) -> str:
    """A rule as its file has it."""
    source = {
        name: value
        for name in ("category", "product", "service")
        if (value := getattr(logsource, name))
    }
    rule: dict[str, object] = {
        "title": wished.title,
        "id": wished.rule_id,
        "status": "experimental",
        "description": description,
        **({"author": wished.author} if wished.author else {}),
        "date": wished.today.isoformat(),
        "tags": list(wished.tags) or ["detection.threat-hunting"],
        "logsource": source,
        "detection": dict(detection),
        "falsepositives": ["Not known yet"],
        "level": wished.level.value,
        "tocsin": {"tests": [dict(test) for test in tests]},
    }
    written: str = yaml.safe_dump(rule, sort_keys=False, allow_unicode=True, width=100)
    return written


def leaves(event: Event, above: str = "") -> Iterator[tuple[str, object]]:
    """Fields by their dotted path."""
    for name, value in event.items():
        path = f"{above}{name}"
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}.")
        elif value is not None:
            yield path, value


def _chosen(events: Sequence[Event], asked: Mapping[str, int]) -> list[_Shared]:
    names = [name for name in _fields(events) if not _VOLATILE.search(name.rpartition(".")[2])]
    names.sort(key=lambda name: (-asked.get(name, 0), name))
    if any(asked.get(name, 0) for name in names):
        names = [name for name in names if asked.get(name, 0)]
    found = (_shared(name, [_text(event, name) for event in events]) for name in names)
    return [one for one in found if one is not None][:_MOST_FIELDS]


def _fields(events: Sequence[Event]) -> list[str]:
    """Fields in which every event has one text."""
    return [name for name in events[0] if all(_text(event, name) for event in events)]


def _text(event: Event, name: str) -> str:
    values = values_at(event, name) or []
    return (text_of(values[0]) or "") if len(values) == 1 else ""


def _shared(name: str, texts: Sequence[str]) -> _Shared | None:
    """What all texts have in common, as little of it as tells enough."""
    folded = {text.casefold() for text in texts}
    files = {found[0].casefold() for text in texts if (found := _FILE.search(text))}
    is_path = all(_FILE.search(text) and not re.search(r"\s[-/]", text) for text in texts)
    if is_path and len(files) == 1:
        found = _FILE.search(texts[0])
        return _Shared(name, f"{name}|endswith", (escaped(found[0] if found else texts[0]),))
    if len(folded) == 1 and not re.search(r"\s", texts[0]) and len(texts[0]) <= _LONGEST_VALUE:
        return _Shared(name, name, (escaped(texts[0]),))
    words = _words_in_all(texts)
    if not words:
        return None
    modifier = "contains|all" if len(words) > 1 else "contains"
    return _Shared(name, f"{name}|{modifier}", tuple(escaped(word) for word in words))


def _words_in_all(texts: Sequence[str]) -> list[str]:
    """The longest words that are in every text, in the order of the first."""
    others = [text.casefold() for text in texts[1:]]
    words = dict.fromkeys(_WORD.findall(texts[0]))
    common = [
        word
        for word in words
        if _SHORTEST_WORD <= len(word) <= _LONGEST_VALUE
        and all(word.casefold() in text for text in others)
    ]
    longest = sorted(common, key=len, reverse=True)[:_MOST_WORDS]
    return [word for word in common if word in longest]


def _tests(events: Sequence[Event], first: _Shared, kept: set[str]) -> Iterator[dict[str, object]]:
    slim = [{name: _text(event, name) for name in event if name in kept} for event in events]
    for number, event in enumerate(slim[:_MOST_TESTS], 1):
        yield {"name": f"Picked event {number}", "expect": "match", "event": event}
    miss = {**slim[0], first.field: "something else"}
    yield {"name": f"The same but for {first.field}", "expect": "silent", "event": miss}
    lacking = {name: value for name, value in slim[0].items() if name != first.field}
    yield {"name": f"{first.field} is missing", "expect": "silent", "event": lacking}


def escaped(text: str) -> str:
    """The text as a Sigma value that means just this: wildcards and backslashes before them."""
    marked = []
    for at, char in enumerate(text):
        if char in "*?" or (char == "\\" and text[at + 1 : at + 2] in ("\\", "*", "?")):
            marked.append("\\")
        marked.append(char)
    return "".join(marked)


def _one_or_many(values: tuple[str, ...]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
