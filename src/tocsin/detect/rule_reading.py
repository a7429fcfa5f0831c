"""Making match rules, or the reasons why not, from the text of one rule file."""

import re
from typing import Any

from sigma.exceptions import (
    SigmaConditionError,
    SigmaDetectionError,
    SigmaError,
    SigmaIdentifierError,
    SigmaLevelError,
    SigmaLogsourceError,
    SigmaStatusError,
    SigmaTagError,
    SigmaTitleError,
)
from sigma.rule import SigmaDetectionItem, SigmaRule

from tocsin.detect.condition import compile_condition
from tocsin.detect.errors import Unsupported
from tocsin.detect.match_rule import RuleTest, SigmaMatchRule
from tocsin.detect.quiet_re2 import POLICY
from tocsin.detect.rule_document import BrokenYaml, RuleDocument, read_documents
from tocsin.model.identifier import repeatable_id
from tocsin.model.lane import LogSource
from tocsin.model.rule import Rule, RuleProblem
from tocsin.model.severity import Level

_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)
_PLACES = {
    SigmaConditionError: "detection/condition",
    SigmaLogsourceError: "logsource",
    SigmaLevelError: "level",
    SigmaStatusError: "status",
    SigmaTagError: "tags",
    SigmaIdentifierError: "id",
    SigmaTitleError: "title",
    SigmaDetectionError: "detection",
}
_KINDS_TO_COME = {
    "correlation": "correlation rules are not supported yet",
    "filter": "filter rules are not supported yet",
}

Read = SigmaMatchRule | RuleProblem


def read_rules(text: str, path: str) -> list[Read]:
    """Each rule of a file, or its problem; nothing is raised whatever ``text`` is."""
    found: list[Read] = []
    try:
        for document in read_documents(text):
            found.append(_read_one(document, path))  # noqa: PERF401 - keeps what was read before broken YAML
    except BrokenYaml as error:
        found.append(RuleProblem(path, str(error), error.line))
    if not found:
        found.append(RuleProblem(path, "the file holds no rule", 1))
    return found


def _read_one(document: RuleDocument, path: str) -> Read:
    content = document.content
    try:
        return _compiled(document, path)
    except SigmaError as error:
        reason, line = str(error), _line_of(error, document)
    except Unsupported as error:
        reason, line = str(error), error.line or document.line_of_key(error.near)
    except (
        Exception
    ) as error:  # pySigma fails in many ways on odd content; one bad rule never stops the rest
        reason = f"the rule can't be read ({type(error).__name__}: {error})"
        line = document.line_near("detection")
    identity = str(content.get("id") or "")
    return RuleProblem(path, reason, line, identity, str(content.get("title") or ""))


def _compiled(document: RuleDocument, path: str) -> SigmaMatchRule:
    content = document.content
    for key, reason in _KINDS_TO_COME.items():
        if key in content:
            raise Unsupported(reason, key)
    detection = content.get("detection")
    if isinstance(detection, dict):
        if "timeframe" in detection:
            raise Unsupported("a timeframe needs a correlation, not supported yet", "timeframe")
        _refuse_aggregation(detection.get("condition"))
    parsed = SigmaRule.from_dict(
        {key: value for key, value in content.items() if key != "tocsin"},
        collect_errors=True,
        policy=POLICY,
    )
    if parsed.errors:
        raise parsed.errors[0]
    condition = compile_condition(parsed)
    extension = _extension(content, document)
    rule = Rule(
        id=str(parsed.id or repeatable_id("rule", document.text)),
        title=parsed.title,
        level=Level(parsed.level.name.lower()) if parsed.level else Level.MEDIUM,
        logsource=_logsource(parsed),
        status=parsed.status.name.lower() if parsed.status else "experimental",
        description=str(parsed.description or "").strip(),
        author=str(parsed.author or ""),
        tags=tuple(str(tag) for tag in parsed.tags),
        techniques=_techniques(parsed),
        false_positives=_texts(parsed.falsepositives),
        references=_texts(parsed.references),
        entity_kinds=extension.entity_kinds,
        questions=extension.questions,
        response=extension.response,
        path=path,
        source_text=document.text,
    )
    return SigmaMatchRule(rule, condition, extension.tests, document.line)


def _refuse_aggregation(condition: object) -> None:
    for one in condition if isinstance(condition, list) else [condition]:
        if isinstance(one, str) and "|" in one:
            raise Unsupported(
                "aggregation in the condition (after |) left Sigma 2: write a correlation rule",
                "condition",
            )


def _logsource(parsed: SigmaRule) -> LogSource:
    source = parsed.logsource
    parts = (source.product, source.category, source.service)
    return LogSource(*(part.lower() if part else None for part in parts))


def _techniques(parsed: SigmaRule) -> tuple[str, ...]:
    found = (_TECHNIQUE.fullmatch(str(tag)) for tag in parsed.tags)
    return tuple(dict.fromkeys(match[1].upper() for match in found if match))


def _texts(values: list[str]) -> tuple[str, ...]:
    return tuple(str(value) for value in values if value is not None)


class _Extension:
    """What the ``tocsin`` key of a rule adds; checked, so that no part of it is lost silently."""

    def __init__(self, content: dict[str, Any]) -> None:
        unknown = set(content) - {"entity", "questions", "response", "tests"}
        if unknown:
            raise Unsupported(f"unknown key tocsin/{sorted(map(str, unknown))[0]}", "tocsin")
        self.entity_kinds = self._list(content, "entity")
        self.questions = self._list(content, "questions")
        self.response = str(content.get("response") or "").strip()
        self.tests: tuple[RuleTest, ...] = ()

    @staticmethod
    def _list(content: dict[str, Any], key: str) -> tuple[str, ...]:
        value = content.get(key, [])
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise Unsupported(f"tocsin/{key} must be a list of texts", "tocsin")
        return tuple(value)


def _extension(content: dict[str, Any], document: RuleDocument) -> _Extension:
    given = content.get("tocsin") or {}
    if not isinstance(given, dict):
        raise Unsupported("tocsin must be a map", "tocsin")
    extension = _Extension(given)
    tests = given.get("tests") or []
    if not isinstance(tests, list):
        raise Unsupported("tocsin/tests must be a list", "tocsin")
    extension.tests = tuple(_test(test, at, document) for at, test in enumerate(tests))
    return extension


def _test(test: object, at: int, document: RuleDocument) -> RuleTest:
    line = document.lines.get(("tocsin", "tests", str(at)), document.line)
    if not isinstance(test, dict) or not isinstance(test.get("event"), dict):
        raise Unsupported(f"test {at + 1} needs an event: a map of fields", line=line)
    if test.get("expect") not in ("match", "silent"):
        raise Unsupported(f"test {at + 1} must expect match or silent", line=line)
    name = str(test.get("name") or f"test {at + 1}")
    return RuleTest(name, test["expect"] == "match", test["event"], line)


def _line_of(error: SigmaError, document: RuleDocument) -> int:
    for kind, place in _PLACES.items():
        if isinstance(error, kind):
            return document.line_near(place)
    failing = _failing_item(document.content.get("detection"), ("detection",))
    return document.lines.get(failing, document.line) if failing else document.line


def _failing_item(value: object, path: tuple[str, ...]) -> tuple[str, ...] | None:
    """The path of the first detection item that can't be read."""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = (*path, str(key))
            if isinstance(inner, dict) or (
                isinstance(inner, list) and any(isinstance(one, dict) for one in inner)
            ):
                failing = _failing_item(inner, here)
                if failing:
                    return failing
            elif here != ("detection", "condition") and not _is_readable(key, inner):
                return here
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            failing = _failing_item(inner, (*path, str(at)))
            if failing:
                return failing
    return path if path == ("detection",) else None


def _is_readable(key: str, value: Any) -> bool:
    try:
        SigmaDetectionItem.from_mapping(key, value, policy=POLICY)
    except (SigmaError, AttributeError, TypeError):
        return False
    return True
