"""What the ``tocsin`` key of a rule adds; checked, so that no part of it is lost silently."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.detect.errors import Unsupported
from tocsin.detect.reading.rule_document import RuleDocument
from tocsin.detect.reading.rule_section import span_of
from tocsin.detect.rules.match_rule import RuleTest
from tocsin.detect.rules.stateful_rule import Sequenced

_KEYS = frozenset({"entity", "questions", "response", "tests"})
_FINDINGS = re.compile(r"([0-9]{1,9})(?: findings?)?")


@dataclass(frozen=True, slots=True)
class Extension:
    """Guidance for the analyst, and the tests as written."""

    entity_kinds: tuple[str, ...]
    questions: tuple[str, ...]
    response: str
    tests: Sequence[Any]


def extension_of(document: RuleDocument) -> Extension:
    """Raises ``Unsupported`` for keys and shapes that are not known."""
    given = document.content.get("tocsin") or {}
    if not isinstance(given, dict):
        raise Unsupported("tocsin must be a map", "tocsin")
    unknown = set(given) - _KEYS
    if unknown:
        raise Unsupported(f"unknown key tocsin/{sorted(map(str, unknown))[0]}", "tocsin")
    tests = given.get("tests") or []
    if not isinstance(tests, list):
        raise Unsupported("tocsin/tests must be a list", "tocsin")
    return Extension(
        entity_kinds=_texts(given, "entity"),
        questions=_texts(given, "questions"),
        response=str(given.get("response") or "").strip(),
        tests=tests,
    )


def _texts(content: dict[str, Any], key: str) -> tuple[str, ...]:
    value = content.get(key, [])
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Unsupported(f"tocsin/{key} must be a list of texts", "tocsin")
    return tuple(value)


def event_tests(extension: Extension, document: RuleDocument) -> tuple[RuleTest, ...]:
    """The tests of a rule that looks at one event."""
    return tuple(_event_test(test, at, document) for at, test in enumerate(extension.tests))


def sequence_tests(extension: Extension, document: RuleDocument) -> tuple[Sequenced, ...]:
    """The tests of a rule that looks at several events."""
    return tuple(_sequence_test(test, at, document) for at, test in enumerate(extension.tests))


def _event_test(test: object, at: int, document: RuleDocument) -> RuleTest:
    line = _line(document, str(at))
    if not isinstance(test, dict) or not isinstance(test.get("event"), dict):
        raise Unsupported(f"test {at + 1} needs an event: a map of fields", line=line)
    if test.get("expect") not in ("match", "silent"):
        raise Unsupported(f"test {at + 1} must expect match or silent", line=line)
    name = str(test.get("name") or f"test {at + 1}")
    return RuleTest(name, test["expect"] == "match", test["event"], line)


def _sequence_test(test: object, at: int, document: RuleDocument) -> Sequenced:
    line = _line(document, str(at))
    if not isinstance(test, dict) or not isinstance(test.get("events"), list):
        raise Unsupported(
            f"test {at + 1} needs events: a list of {{at: seconds, rule: name, event: fields}}",
            line=line,
        )
    events = tuple(_timed_event(one, f"test {at + 1}", line) for one in test["events"])
    name = str(test.get("name") or f"test {at + 1}")
    return Sequenced(name, _findings(test.get("expect"), at, line), events, line)


def _findings(expect: object, at: int, line: int) -> int:
    if expect in ("match", "silent"):
        return 1 if expect == "match" else 0
    match = _FINDINGS.fullmatch(str(expect))
    if match is None or isinstance(expect, bool):
        raise Unsupported(f"test {at + 1} must expect match, silent or N findings", line=line)
    return int(match[1])


def _timed_event(one: object, test: str, line: int) -> tuple[float, str, dict[str, object]]:
    if not isinstance(one, dict) or not isinstance(one.get("event"), dict):
        raise Unsupported(f"{test}: each of events needs an event: a map of fields", line=line)
    unknown = set(one) - {"at", "rule", "event"}
    if unknown:
        raise Unsupported(f"{test}: unknown key {sorted(map(str, unknown))[0]}", line=line)
    return _moment(one.get("at", 0), test, line), str(one.get("rule") or ""), one["event"]


def _moment(at: object, test: str, line: int) -> float:
    span = span_of(at)
    if span is not None:
        return span.total_seconds()
    if isinstance(at, int | float) and not isinstance(at, bool) and 0 <= at <= 10**9:
        return float(at)
    raise Unsupported(f"{test}: at must be seconds since the start, or like 5m", line=line)


def _line(document: RuleDocument, at: str) -> int:
    return document.lines.get(("tocsin", "tests", at), document.line)
