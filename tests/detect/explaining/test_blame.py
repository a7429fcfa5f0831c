"""What kept a rule from matching is said in words, the least that was missing first."""

from tests.detect.rule_texts import one_rule
from tocsin.detect.explaining.blame import blame
from tocsin.detect.explaining.explanation import explain_all

DETECTION = """\
  one_of:
    - Image|endswith: \\a.exe
    - OriginalFileName: a.exe
  words:
    CommandLine|contains: /go
  not_by:
    ParentImage|endswith: \\setup.exe
  keywords:
    - secret
  condition: one_of and words and keywords and not not_by"""


def _blame(**record: object) -> tuple[str, ...]:
    return blame(explain_all(one_rule(DETECTION), record))


def test_a_match_blames_nothing() -> None:
    assert _blame(Image="\\a.exe", CommandLine="/go secret") == ()


def test_values_absence_alternatives_and_exclusions_have_their_own_words() -> None:
    found = _blame(Image="\\b.exe", CommandLine="/stop", ParentImage="x\\setup.exe")
    assert found == (
        "CommandLine|contains: /go does not hold: CommandLine is “/stop”",
        "keywords|contains: secret does not hold: no value of the event has it",
        "excluded: ParentImage|endswith: \\setup.exe holds for “x\\setup.exe”",
        "one of these would do: Image|endswith: \\a.exe does not hold: Image is “\\b.exe”; "
        "OriginalFileName: a.exe does not hold: the event has no OriginalFileName",
    )


def test_a_long_list_of_alternatives_is_cut_and_says_so() -> None:
    many = "\n".join(f"    - F{number}: x" for number in range(9))
    rule = one_rule(f"  a:\n{many}\n  condition: a")
    (words,) = blame(explain_all(rule, {}))
    assert words.endswith("; and 4 more")
