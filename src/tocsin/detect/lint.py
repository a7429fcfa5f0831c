"""What is wrong or missing in rule files, with file and line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tocsin.detect.rule_document import RuleDocument, read_documents
from tocsin.detect.rule_reading import read_rules
from tocsin.detect.ruleset import load_rules, rule_files
from tocsin.model.rule import RuleProblem

_WANTED = ("title", "id", "level", "tags", "description", "status")
_TECHNIQUE = re.compile(r"attack\.(t\d{4}(\.\d{3})?|[gs]\d{4}|ds\d{4})")
_TACTIC = re.compile(r"attack\.[a-z][a-z-]+")
_NAME = re.compile(r"[A-Za-z0-9_*-]+")
_WORDS = frozenset({"and", "or", "not", "of", "them", "1", "all", "any"})

Complaint = tuple[str, int]


def lint(paths: Sequence[Path]) -> list[RuleProblem]:
    """Every problem of the rule files below ``paths``, by file and line; none when all is well.

    Besides what keeps a rule from loading: missing keys, malformed ATT&CK tags, detections the
    condition never uses, ``all`` over one value, and rules without a matching and a silent test.
    """
    found = list(load_rules(paths).problems)
    files, _ = rule_files(paths)
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue  # told by loading
        found.extend(_texts_faults(text, str(path)))
    return sorted(set(found), key=lambda problem: (problem.path, problem.line, problem.reason))


def lint_text(text: str, path: str) -> list[RuleProblem]:
    """The problems of one rule text, as an editor would show them."""
    found = [one for one in read_rules(text, path) if isinstance(one, RuleProblem)]
    found.extend(_texts_faults(text, path))
    return sorted(set(found), key=lambda problem: (problem.line, problem.reason))


def _texts_faults(text: str, path: str) -> Iterator[RuleProblem]:
    for document in read_documents(text):
        if not document.fault:  # told by reading
            yield from _document(document, path)


def _document(document: RuleDocument, path: str) -> Iterator[RuleProblem]:
    content = document.content
    for reason, line in _complaints(document):
        yield RuleProblem(
            path, reason, line, str(content.get("id") or ""), str(content.get("title") or "")
        )


def _complaints(document: RuleDocument) -> Iterator[Complaint]:
    content = document.content
    for key in _WANTED:
        if not content.get(key):
            yield f"{key} is missing", document.line
    yield from _tags(document)
    detection = content.get("detection")
    if isinstance(detection, dict):
        yield from _unused(detection, document)
        yield from _lone_all(detection, ("detection",), document)
    yield from _tests(document)


def _tags(document: RuleDocument) -> Iterator[Complaint]:
    tags = document.content.get("tags")
    if not isinstance(tags, list):
        return
    for at, tag in enumerate(tags):
        text = str(tag)
        if not text.startswith("attack."):
            continue
        if not (_TECHNIQUE.fullmatch(text) or _TACTIC.fullmatch(text)):
            line = document.lines.get(("tags", str(at)), document.line)
            yield f"tag {text} is no ATT&CK tag: attack.t1059.001 or attack.lateral-movement", line


def _unused(detection: Mapping[str, Any], document: RuleDocument) -> Iterator[Complaint]:
    condition = detection.get("condition")
    texts = condition if isinstance(condition, list) else [condition]
    used = {
        name
        for text in texts
        if isinstance(text, str)
        for name in _NAME.findall(text)
        if name not in _WORDS
    }
    everything = any(isinstance(text, str) and re.search(r"\bthem\b", text) for text in texts)
    patterns = [re.compile(re.escape(name).replace(r"\*", ".*")) for name in used]
    for name in detection:
        if name in ("condition", "timeframe"):
            continue
        named = any(pattern.fullmatch(str(name)) for pattern in patterns)
        if not named and not (everything and not str(name).startswith("_")):
            yield (
                f"detection {name} is not used by the condition",
                document.line_near(f"detection/{name}"),
            )


def _lone_all(value: object, path: tuple[str, ...], document: RuleDocument) -> Iterator[Complaint]:
    if isinstance(value, dict):
        for key, inner in value.items():
            here = (*path, str(key))
            single = not isinstance(inner, list | dict) or (
                isinstance(inner, list) and len(inner) < 2
            )
            if "all" in str(key).split("|")[1:] and single:
                yield f"{key}: all needs several values", document.lines.get(here, document.line)
            yield from _lone_all(inner, here, document)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _lone_all(inner, (*path, str(at)), document)


def _tests(document: RuleDocument) -> Iterator[Complaint]:
    extension = document.content.get("tocsin")
    tests = extension.get("tests") if isinstance(extension, dict) else None
    if not isinstance(tests, list) or not tests:
        yield "the rule carries no tests (tocsin/tests)", document.line
        return
    expected = {test.get("expect") for test in tests if isinstance(test, dict)}
    for wanted in ("match", "silent"):
        if wanted not in expected:
            line = document.line_near("tocsin/tests", "tocsin")
            yield f"no test expects {wanted}", line
