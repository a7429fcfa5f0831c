"""Safe repairs change no more than they say."""

import itertools
from datetime import date

import pytest

from tests.detect.rule_texts import rule_text
from tocsin.detect.authoring.lint_fixing import fix_text
from tocsin.detect.reading.rule_document import read_documents

TODAY = date(2026, 1, 5)


def _fix(text: str) -> tuple[str, list[str]]:
    ids = (f"id-{number}" for number in itertools.count(1))
    fixed = fix_text(text, TODAY, lambda: next(ids))
    return fixed.after, [what for _, what in fixed.done]


def test_ids_dates_and_the_case_of_words_are_put_right() -> None:
    broken = (
        rule_text("  s: {Image: A}\n  condition: s")
        .replace("id: 5f0b7f3e-0000-4000-8000-000000000001\n", "")
        .replace("level: high", "level: High  # sure")
        .replace("attack.t1059.001", "'attack.T1059.001' # shell")
        .replace("attack.execution", "attack.Lateral_Movement")
    )
    after, done = _fix(broken)
    assert after.startswith("title: A rule\nid: id-1\ndate: 2026-01-05\nstatus: test\n")
    assert "  - attack.lateral-movement\n  - 'attack.t1059.001' # shell\n" in after
    assert "level: high  # sure" in after
    assert "{Image: A}" in after
    assert len(done) == 5
    assert _fix(after) == (after, [])
    diff = fix_text(broken, TODAY, lambda: "x").diff("a.yml")
    assert "+id: x" in diff
    assert "-level: High  # sure" in diff


def test_tags_in_brackets_are_put_right_together() -> None:
    text = rule_text("  s: {Image: A}\n  condition: s")
    block = text[text.index("tags:") : text.index("level:")]
    listed = "tags: [attack.Execution, 'attack.T1059.001', attack.T1059]  # shell\n"
    after, done = _fix(text.replace(block, listed))
    assert "tags: [attack.execution, 'attack.t1059.001', attack.t1059]  # shell\n" in after
    assert "tag attack.T1059 written attack.t1059" in done[-1]
    assert _fix(after) == (after, [])


def test_every_document_of_a_file_and_its_line_ends_are_kept() -> None:
    two = (
        "title: One\ndetection: {s: {a: b}, condition: s}\n---\ntitle: Two\nfilter: {rules: any}\n"
    )
    after, done = _fix(two.replace("\n", "\r\n"))
    assert len(done) == 4
    assert "\n" not in after.replace("\r\n", "")
    assert [one.content["id"] for one in read_documents(after)] == ["id-1", "id-2"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: [",
        "just text",
        "title: >\n  folded\n  title\ndetection: {s: {a: b}, condition: s}\n",
        "title: A\n  goes on\ndetection: {s: {a: b}, condition: s}\n",
        "title: A pipeline\ntransformations: []\n",
    ],
)
def test_what_can_not_be_repaired_safely_is_left_alone(text: str) -> None:
    assert _fix(text) == (text, [])
