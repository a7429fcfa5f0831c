"""Test results as JUnit XML, the form build servers read."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from tocsin.detect.authoring.rule_tests import RuleTestResult
from tocsin.model.rule import RuleProblem

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 document may hold (section 2.2)."""


def junit(results: Sequence[RuleTestResult], problems: Sequence[RuleProblem]) -> bytes:
    """A suite for each rule with tests, and one for the rules that could not be loaded."""
    by_rule: dict[str, list[RuleTestResult]] = defaultdict(list)
    for result in results:
        by_rule[result.rule.id].append(result)
    root = ElementTree.Element("testsuites", name="tocsin rules test")
    for of in by_rule.values():
        suite = _suite(root, f"{of[0].rule.title} ({of[0].rule.id})", of[0].rule.path)
        for one in of:
            case = _case(suite, one.name, one.rule.title, one.rule.path, one.line)
            if not one.passed:
                _wrong(case, "failure", "not as expected", one.reason)
    if problems:
        suite = _suite(root, "rules that could not be loaded", "")
        for problem in problems:
            name = problem.title or problem.rule_id or problem.path
            case = _case(suite, name, "loading", problem.path, problem.line)
            _wrong(case, "error", "not loaded", problem.reason)
    return _counted(root)


def lint_junit(files: Sequence[Path], problems: Sequence[RuleProblem]) -> bytes:
    """A suite for each rule file: a case that passes, or one that fails for each problem."""
    by_path: dict[str, list[RuleProblem]] = defaultdict(list)
    for problem in problems:
        by_path[problem.path].append(problem)
    root = ElementTree.Element("testsuites", name="tocsin rules lint")
    for path in dict.fromkeys([*map(str, files), *by_path]):
        suite = _suite(root, path, path)
        if not by_path[path]:
            _case(suite, "lint", path, path, 1)
        for one in by_path[path]:
            case = _case(suite, f"line {one.line}: {one.reason}", path, path, one.line)
            _wrong(case, "failure", "lint", one.reason)
    return _counted(root)


def _counted(root: ElementTree.Element) -> bytes:
    for element in (*root, root):
        cases = list(element.iter("testcase"))
        element.set("tests", str(len(cases)))
        element.set("failures", str(sum(case.find("failure") is not None for case in cases)))
        element.set("errors", str(sum(case.find("error") is not None for case in cases)))
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _suite(root: ElementTree.Element, name: str, file: str) -> ElementTree.Element:
    suite = ElementTree.SubElement(root, "testsuite", name=_clean(name))
    if file:
        suite.set("file", _clean(file))
    return suite


def _case(
    suite: ElementTree.Element, name: str, of: str, file: str, line: int
) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite,
        "testcase",
        name=_clean(name),
        classname=_clean(of),
        file=_clean(file),
        line=str(line),
    )


def _wrong(case: ElementTree.Element, kind: str, type_: str, reason: str) -> None:
    element = ElementTree.SubElement(case, kind, message=_clean(reason), type=type_)
    element.text = f"{case.get('file')}:{case.get('line')}: {_clean(reason)}"


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
