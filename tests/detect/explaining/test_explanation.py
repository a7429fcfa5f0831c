"""Every part of a condition says whether it held, and on which values."""

from tests.detect.rule_texts import one_rule
from tocsin.detect.explaining.explanation import Explained, explain_all, first_failures

DETECTION = """\
  program:
    Image|endswith: [\\net.exe, \\net1.exe]
  words:
    CommandLine|contains|all: [user, /add]
  filter:
    ParentImage|endswith: \\setup.exe
  condition: program and words and not filter"""


def _explained(**record: object) -> Explained:
    return explain_all(one_rule(DETECTION), record)


def _lines(explained: Explained, depth: int = 0) -> list[str]:
    lines = [f"{'  ' * depth}{'+' if explained.held else '-'} {explained.words} | {explained.seen}"]
    return lines + [line for part in explained.parts for line in _lines(part, depth + 1)]


def test_a_match_shows_the_values_that_made_it() -> None:
    found = _explained(Image="C:\\Windows\\net.exe", CommandLine="net user eve /add")
    assert found.held
    program = found.parts[0]
    assert program.words == "Image|endswith: \\net.exe, \\net1.exe"
    assert program.seen == ("C:\\Windows\\net.exe",)
    assert program.by == ("Image|endswith: \\net.exe",)
    assert list(first_failures(found)) == []


def test_what_failed_is_blamed_with_what_was_there_instead() -> None:
    found = _explained(Image="C:\\Windows\\net.exe", CommandLine="net user eve")
    assert not found.held
    (blamed,) = first_failures(found)
    assert blamed.words == "CommandLine|contains: /add"
    assert blamed.seen == ("net user eve",)


def test_a_missing_field_shows_no_value() -> None:
    blamed = list(first_failures(_explained(CommandLine="net user eve /add")))
    assert [part.words for part in blamed] == ["Image|endswith: \\net.exe, \\net1.exe"]
    assert blamed[0].seen == ()


def test_an_exclusion_that_struck_is_blamed_as_a_whole() -> None:
    found = _explained(
        Image="\\net.exe", CommandLine="net user eve /add", ParentImage="c:\\setup.exe"
    )
    (blamed,) = first_failures(found)
    assert blamed.words == "not"
    assert blamed.parts[0].held
    assert blamed.parts[0].seen == ("c:\\setup.exe",)


def test_long_values_and_long_lists_are_cut_and_say_so() -> None:
    names = ", ".join(f"a{number}" for number in range(40))
    rule = one_rule(f"  a:\n    Image: [{names}]\n  condition: a")
    found = explain_all(rule, {"Image": "x" * 5000})
    assert found.words.endswith("(40 values)")
    assert found.seen[0].endswith("(5000 characters)")


def test_all_parts_are_shown_in_the_order_written() -> None:
    lines = _lines(_explained(Image="\\net.exe"))
    assert [line.strip()[0] for line in lines] == ["-", "+", "-", "-", "+", "-"]
