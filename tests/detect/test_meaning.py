"""What each part of Sigma means, held by the oracle and the engine alike."""

from typing import Any

import pytest

from tests.detect.rule_texts import one_rule
from tocsin.detect.authoring.sample_batch import batch_of, lane_for
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.oracle import explain, matches
from tocsin.model.finding import MatchedField

LANE = lane_for("windows", "process_creation", None)


def verdict(detection: str, event: dict[str, Any]) -> bool:
    rule = one_rule(detection)
    batch = batch_of(LANE, [event])
    by_engine = bool(Engine(RuleSet((rule,))).evaluate(batch))
    assert by_engine == matches(rule, batch.native_rows([0])[0])
    return by_engine


def selection(line: str) -> str:
    return f"  selection:\n    {line}\n  condition: selection"


@pytest.mark.parametrize(
    ("line", "event", "expected"),
    [
        ("Image: cmd.exe", {"Image": "CMD.EXE"}, True),
        ("Image: cmd.exe", {"Image": "x\\cmd.exe"}, False),
        ("Image|cased: cmd.exe", {"Image": "CMD.EXE"}, False),
        ("Image: MÜLLER", {"Image": "müller"}, True),
        ("Image: strasse", {"Image": "STRAẞE"}, True),
        ("Image: straße", {"Image": "STRASSE"}, True),
        ("Image|contains: ß", {"Image": "PASSWORD"}, True),
        ("Flag|cased: 'true'", {"Flag": True}, True),
        ("Image: ''", {"Image": ""}, True),
        ("Image: ''", {"Other": "x"}, False),
        ("Image: '*'", {"Image": ""}, True),
        ("Image: '*'", {"Other": "x"}, False),
        ("Image: 'a*c'", {"Image": "abbbc"}, True),
        ("Image: 'a?c'", {"Image": "abbc"}, False),
        ("Image: 'a?c'", {"Image": "a\nc"}, True),
        (r"Image: 'a\*c'", {"Image": "abc"}, False),
        (r"Image: 'a\*c'", {"Image": "A*C"}, True),
        (r"Image: '\\\\server\*'", {"Image": r"\\server*"}, True),
        ("Image|contains: wind", {"Image": "C:\\Windows"}, True),
        ("Image|startswith: 'c:'", {"Image": "C:\\Windows"}, True),
        ("Image|endswith: \\net.exe", {"Image": "C:\\NET.EXE"}, True),
        ("CommandLine|contains|all: [a, b]", {"CommandLine": "xbya"}, True),
        ("CommandLine|contains|all: [a, b]", {"CommandLine": "xa"}, False),
        ("CommandLine|windash|contains: ' -f '", {"CommandLine": "x /f y"}, True),
        ("EventID: 4624", {"EventID": 4624}, True),
        ("EventID: 4624", {"EventID": "4624"}, True),
        ("EventID: '4624'", {"EventID": 4624}, True),
        ("EventID: 4624", {"EventID": 4624.0}, True),
        ("EventID: 4624", {"EventID": 46240}, False),
        ("EventID: [1, 4624]", {"EventID": 1}, True),
        ("Flag: true", {"Flag": True}, True),
        ("Flag: 'true'", {"Flag": True}, True),
        ("Flag: true", {"Flag": "True"}, True),
        ("Image: null", {"Other": "x"}, True),
        ("Image: null", {"Image": None, "Other": "x"}, True),
        ("Image: null", {"Image": ""}, False),
        ("Image|exists: true", {"Image": ""}, True),
        ("Image|exists: true", {"Other": ""}, False),
        ("Image|exists: false", {"Other": ""}, True),
        ("user|exists: true", {"user": {"name": "x"}}, True),
        ("user.name: bob", {"user": {"name": "BOB"}}, True),
        ("user.name: bob", {"user.name": "bob"}, True),
        ("tags: red", {"tags": ["blue", "Red"]}, True),
        ("tags: red", {"tags": ["blue"]}, False),
        ("tags: null", {"tags": [], "x": 1}, True),
        ("parts.kind: b", {"parts": [{"kind": "a"}, {"kind": "b"}]}, True),
        ("Image|re: '^C:.*exe$'", {"Image": "C:\\x.exe"}, True),
        ("Image|re: '^c:'", {"Image": "C:\\x.exe"}, False),
        ("Image|re|i: '^c:'", {"Image": "C:\\x.exe"}, True),
        ("Image|re: 'a.b'", {"Image": "a\nb"}, False),
        ("Image|re|s: 'a.b'", {"Image": "a\nb"}, True),
        ("Image|re|m: '^b$'", {"Image": "a\nb"}, True),
        ("Ip|cidr: 10.0.0.0/8", {"Ip": "10.255.0.1"}, True),
        ("Ip|cidr: 10.0.0.0/8", {"Ip": "::ffff:10.1.2.3"}, True),
        ("Ip|cidr: 10.0.0.0/8", {"Ip": "11.0.0.1"}, False),
        ("Ip|cidr: 10.0.0.0/8", {"Ip": "no address"}, False),
        ("Ip|cidr: 'fe80::/10'", {"Ip": "fe80::1%eth0"}, True),
        ("Port|gt: 1024", {"Port": 1025}, True),
        ("Port|gte: 1024", {"Port": "1024"}, True),
        ("Port|lt: 1024", {"Port": 1024}, False),
        ("Port|lte: 1024", {"Port": 1024.0}, True),
        ("Port|gt: 1024", {"Port": "many"}, False),
        ("Image|neq: cmd.exe", {"Image": "net.exe"}, True),
        ("Image|neq: cmd.exe", {"Image": "CMD.exe"}, False),
        ("Image|neq: cmd.exe", {"Other": "x"}, True),
        ("Image|fieldref: ParentImage", {"Image": "A", "ParentImage": "a"}, True),
        ("Image|fieldref: ParentImage", {"Image": "A"}, False),
        ("Image|fieldref|endswith: Name", {"Image": "x\\A", "Name": "a"}, True),
        ("Image|fieldref|startswith: Name", {"Image": "x\\A", "Name": "a"}, False),
        ("Image|fieldref|contains: Name", {"Image": "xax", "Name": "A"}, True),
        ("When|hour: 23", {"When": "2024-05-01T23:10:00Z"}, True),
        ("When|hour: 23", {"When": "2024-05-01T23:10:00+02:00"}, False),
        ("When|hour|gte: 20", {"When": "2024-05-01 23:10:00.123"}, True),
        ("When|week: 9", {"When": "2024-02-29"}, True),
        ("When|year: 2024", {"When": 1714600000}, False),
        ("Script|base64offset|contains: 'http://'", {"Script": "xxaHR0cDovLx=="}, True),
        ("Script|wide|base64offset|contains: 'ping'", {"Script": "cABpAG4AZwAg"}, True),
        ("Script|wide|contains: cmd", {"Script": "c\0m\0d\0"}, True),
    ],
)
def test_a_value_is_compared_as_sigma_says(
    line: str, event: dict[str, Any], expected: bool
) -> None:
    assert verdict(selection(line), event) is expected


@pytest.mark.parametrize(
    ("detection", "event", "expected"),
    [
        ("  k:\n    - mimikatz\n  condition: k", {"a": {"b": ["x", "use MIMIKATZ now"]}}, True),
        ("  k:\n    - mimikatz\n  condition: k", {"mimikatz": "x"}, False),
        ("  k:\n    - müller\n  condition: k", {"a": "MÜLLER"}, True),
        ("  k:\n    - 'true'\n  condition: k", {"a": True}, True),
        ("  k:\n    - 'mimi*katz'\n  condition: k", {"a": "a mimi and a katze"}, True),
        ("  k:\n    - 4624\n  condition: k", {"EventID": 14624}, True),
        ("  k:\n    '|all': [a1, b1]\n  condition: k", {"x": "a1", "y": "b1"}, True),
        ("  k:\n    '|all': [a1, b1]\n  condition: k", {"x": "a1"}, False),
        ("  s:\n    - a: 1\n    - b: 2\n  condition: s", {"b": 2}, True),
        ("  s:\n    a: 1\n    b: 2\n  condition: s", {"b": 2}, False),
        ("  s1: {a: 1}\n  s2: {b: 1}\n  condition: 1 of s*", {"b": 1}, True),
        ("  s1: {a: 1}\n  s2: {b: 1}\n  condition: all of s*", {"b": 1}, False),
        ("  s1: {a: 1}\n  _s2: {b: 1}\n  condition: 1 of them", {"b": 1}, False),
        ("  s1: {a: 1}\n  s2: {b: 1}\n  condition: any of them", {"b": 1}, True),
        ("  s: {a: 1}\n  f: {b: 1}\n  condition: s and not f", {"a": 1, "b": 1}, False),
        ("  s: {a: 1}\n  f: {b: 1}\n  condition: s and not f", {"a": 1}, True),
        ("  s: {a: 1}\n  f: {b: 1}\n  condition: not (s or f)", {"c": 1}, True),
        ("  s: {a: 1}\n  f: {b: 1}\n  condition: [s, f]", {"b": 1}, True),
    ],
)
def test_conditions_and_keywords_mean_what_sigma_says(
    detection: str, event: dict[str, Any], expected: bool
) -> None:
    assert verdict(detection, event) is expected


def test_an_explanation_names_only_what_held_in_sigmas_words() -> None:
    rule = one_rule(
        "  selection:\n"
        "    Image|endswith: [\\cmd.exe, \\net.exe]\n"
        "    CommandLine|contains|all: [' user ', /add]\n"
        "  other:\n    User: SYSTEM\n"
        "  filter:\n    ParentImage: null\n"
        "  condition: (selection or other) and not filter"
    )
    event = {"Image": "C:\\NET.exe", "CommandLine": "net user bob /ADD", "ParentImage": "x"}
    assert explain(rule, event) == [
        MatchedField("Image", "C:\\NET.exe", "Image|endswith: \\net.exe"),
        MatchedField("CommandLine", "net user bob /ADD", "CommandLine|contains:  user "),
        MatchedField("CommandLine", "net user bob /ADD", "CommandLine|contains: /add"),
    ]
    assert explain(rule, {"Image": "C:\\NET.exe"}) == []


def test_an_explanation_of_a_keyword_names_the_field_it_was_found_in() -> None:
    rule = one_rule("  k:\n    - mimikatz\n  condition: k")
    found = explain(rule, {"EventData": {"Script": "run Mimikatz"}})
    assert found == [
        MatchedField("EventData.Script", "run Mimikatz", "keywords|contains: mimikatz")
    ]
