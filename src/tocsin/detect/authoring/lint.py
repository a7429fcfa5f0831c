"""What is wrong or missing in rule files, with file and line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tocsin.detect.authoring.lint_fixing import tag_written
from tocsin.detect.reading.detection_lines import line_of
from tocsin.detect.reading.match_reading import errors_in
from tocsin.detect.reading.rule_document import RuleDocument, read_documents
from tocsin.detect.reading.rule_reading import read_rules
from tocsin.detect.reading.ruleset import RuleSet, load_rules, rule_files
from tocsin.model.rule import RuleProblem

_WANTED = {
    "filter": ("title", "id", "description"),
    "health": ("title", "id", "level", "description", "status"),
    "": ("title", "id", "level", "tags", "description", "status"),
}
"""Keys that a document of a kind should have; "" is every other kind."""
_KINDS_OF_THEIR_OWN = frozenset({"correlation", "absence", "new_terms", "indicator"})
_TECHNIQUE = re.compile(r"attack\.(t\d{4}(\.\d{3})?|[gs]\d{4}|ds\d{4})")
_TACTIC = re.compile(r"attack\.[a-z][a-z-]+")
_NAME = re.compile(r"[A-Za-z0-9_*-]+")
_WORDS = frozenset({"and", "or", "not", "of", "them", "1", "all", "any"})

Complaint = tuple[str, int]


def lint(
    paths: Sequence[Path],
    *,
    pipelines: Sequence[Path] = (),
    tests: bool = False,
    loaded: RuleSet | None = None,
) -> list[RuleProblem]:
    """Every problem of the rule files below ``paths``, by file and line; none when all is well.

    Besides what keeps a rule from loading: missing keys, malformed ATT&CK tags, detections the
    condition never uses, ``all`` over one value, filters that keep what they should leave out, and
    rules without a matching and a silent test (only those with a ``tocsin`` key, unless ``tests``).
    ``loaded`` are the rules below ``paths`` when somebody has loaded them already.
    """
    found = list((loaded or load_rules(paths, pipelines=pipelines)).problems)
    refused = {one.path for one in found}
    files, _ = rule_files(paths)
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue  # told by loading
        found.extend(_texts_faults(text, str(path), tests, str(path) in refused))
    return sorted(set(found), key=lambda problem: (problem.path, problem.line, problem.reason))


def lint_text(text: str, path: str, *, tests: bool = False) -> list[RuleProblem]:
    """The problems of one rule text, as an editor would show them.

    Whether the rules that correlations and filters name are there, only loading all files tells.
    """
    found = [one for one in read_rules(text, path) if isinstance(one, RuleProblem)]
    found.extend(_texts_faults(text, path, tests, bool(found)))
    return sorted(set(found), key=lambda problem: (problem.line, problem.reason))


def _texts_faults(text: str, path: str, tests: bool, refused: bool) -> Iterator[RuleProblem]:
    """``refused``: a rule of the text does not load, so all that is wrong with it is looked for."""
    for document in read_documents(text):
        if document.fault:
            continue  # told by reading
        content = document.content
        about = [str(content.get(key) or "") for key in ("id", "title")]
        for reason, line in _complaints(document, tests, refused):
            yield RuleProblem(path, reason, line, *about)


def _complaints(document: RuleDocument, tests: bool, refused: bool) -> Iterator[Complaint]:
    content = document.content
    kind = next((kind for kind in _WANTED if kind and kind in content), "")
    for key in _WANTED[kind]:
        if not content.get(key):
            yield f"{key} is missing", document.line
    yield from _tags(document)
    for name in ("detection", "filter"):
        selections = content.get(name)
        if isinstance(selections, dict):
            yield from _unused(selections, name, document)
            yield from _lone_all(selections, (name,), document)
    if refused and not kind and _KINDS_OF_THEIR_OWN.isdisjoint(content):
        yield from ((str(one), line_of(one, document)) for one in errors_in(document))
    if kind == "filter":
        if isinstance(content["filter"], dict):
            yield from _keeping(document)
    elif kind != "health" and (tests or "tocsin" in content):
        yield from _tests(document)


def _keeping(document: RuleDocument) -> Iterator[Complaint]:
    """A filter is and-ed: without a ``not`` it leaves out everything but what it names."""
    condition = document.content["filter"].get("condition")
    if isinstance(condition, str) and "not" not in condition.split():
        yield (
            "the filter keeps only what its selections match: write 'not selection' to leave "
            "that out",
            document.line_near("filter/condition"),
        )


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
            wanted = tag_written(text)
            is_meant = _TECHNIQUE.fullmatch(wanted) or _TACTIC.fullmatch(wanted)
            like = f"write {wanted}" if is_meant else "attack.t1059.001 or attack.lateral-movement"
            yield f"tag {text} is no ATT&CK tag: {like}", line


def _unused(
    detection: Mapping[str, Any], section: str, document: RuleDocument
) -> Iterator[Complaint]:
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
        if name in ("condition", "timeframe") or (section, name) == ("filter", "rules"):
            continue
        named = any(pattern.fullmatch(str(name)) for pattern in patterns)
        if not named and not (everything and not str(name).startswith("_")):
            yield (
                f"{section} {name} is not used by the condition",
                document.line_near(f"{section}/{name}"),
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
    expected = {_outcome(test.get("expect")) for test in tests if isinstance(test, dict)}
    for wanted in ("match", "silent"):
        if wanted not in expected:
            line = document.line_near("tocsin/tests", "tocsin")
            yield f"no test expects {wanted}", line


def _outcome(expect: object) -> str:
    """``3 findings`` is a match, ``0 findings`` silence."""
    if expect in ("match", "silent"):
        return str(expect)
    return "silent" if str(expect).partition(" ")[0] == "0" else "match"
