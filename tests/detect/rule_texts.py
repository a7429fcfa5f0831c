"""Rule texts for tests."""

from tocsin.detect.reading.rule_reading import read_rules
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.model.rule import RuleProblem

ID = "5f0b7f3e-0000-4000-8000-000000000001"


def rule_text(detection: str, *, extra: str = "", rule_id: str = ID) -> str:
    """A rule on Windows process creations with the given detection (YAML, two spaces in)."""
    return (
        "title: A rule\n"
        f"id: {rule_id}\n"
        "status: test\n"
        "description: For a test.\n"
        "logsource:\n  product: windows\n  category: process_creation\n"
        f"detection:\n{detection}\n"
        "tags:\n  - attack.execution\n  - attack.t1059.001\n"
        f"level: high\n{extra}"
    )


def one_rule(detection: str, *, extra: str = "") -> SigmaMatchRule:
    found = read_rules(rule_text(detection, extra=extra), "rule.yml")
    assert len(found) == 1
    assert isinstance(found[0], SigmaMatchRule), found[0]
    return found[0]


def one_problem(text: str) -> RuleProblem:
    found = [one for one in read_rules(text, "rule.yml") if isinstance(one, RuleProblem)]
    assert len(found) == 1, found
    return found[0]
