"""Repairs in rule files that can't change what a rule finds: ids, dates, the case of words."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from difflib import unified_diff

from tocsin.detect.reading.rule_document import RuleDocument, read_documents

_WORDS = ("level", "status")
_FLOW = re.compile(r"^tags:\s*\[[^\[\]{}]*\]\s*(?:#.*)?$")
_TAG = re.compile(r"^(\s*-\s*)(['\"]?)([A-Za-z][\w. -]*?)(['\"]?)(\s*(?:#.*)?)$")


@dataclass(frozen=True, slots=True)
class Fixed:
    """A file's text before and after, and what was done, by line of the text before."""

    before: str
    after: str
    done: tuple[tuple[int, str], ...]

    def diff(self, path: str) -> str:
        """As ``diff -u`` writes it; empty when nothing was done."""
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        return "".join(unified_diff(before, after, path, path))


@dataclass(frozen=True, slots=True)
class _Edit:
    """Puts ``text`` in the place of line ``line`` (from 1), or behind it."""

    line: int
    text: str
    told: str
    behind: bool = False


def fix_text(text: str, today: date, new_id: Callable[[], str]) -> Fixed:
    """Missing ``id`` and ``date`` put in, tags and words in the letter case Sigma asks for.

    A repair after which the documents would hold anything else than before is left undone.
    """
    lines = text.split("\n")
    edits = [
        edit
        for document in read_documents(text)
        if not document.fault
        for edit in _edits(document, lines, today, new_id)
    ]
    done = []
    for edit in sorted(edits, key=lambda edit: (-edit.line, not edit.behind)):
        if edit.behind:
            lines.insert(edit.line, edit.text)
        else:
            lines[edit.line - 1] = edit.text
        done.append((edit.line, edit.told))
    after = "\n".join(lines)
    if not done or not _means_the_same(text, after):
        return Fixed(text, text, ())
    return Fixed(text, after, tuple(sorted(done)))


def _edits(
    document: RuleDocument, lines: list[str], today: date, new_id: Callable[[], str]
) -> Iterator[_Edit]:
    content = document.content
    title = document.lines.get(("title",))
    is_rule = bool(content.keys() & {"detection", "correlation", "absence", "filter", "health"})
    plain = title is not None and re.match(r"title:\s*[^\s|>&*]", lines[title - 1]) is not None
    after = lines[title] if title is not None and title < len(lines) else ""
    end = "\r" if title is not None and lines[title - 1].endswith("\r") else ""
    if title is not None and is_rule and plain and not after.startswith((" ", "\t")):
        if "date" not in content:
            yield _Edit(title, f"date: {today.isoformat()}{end}", "date added", behind=True)
        if "id" not in content:
            yield _Edit(title, f"id: {new_id()}{end}", "id added", behind=True)
    for word in _WORDS:
        value, line = content.get(word), document.lines.get((word,))
        if isinstance(value, str) and line and value != value.lower():
            written = lines[line - 1]
            yield _Edit(line, written.replace(value, value.lower(), 1), f"{word} in lower case")
    yield from _tags(document, lines)


def _tags(document: RuleDocument, lines: list[str]) -> Iterator[_Edit]:
    """Each tag on a line of its own, or all of a list in brackets on one line."""
    tags = document.content.get("tags")
    wrong = [
        (str(tag), line)
        for at, tag in enumerate(tags if isinstance(tags, list) else [])
        if (line := document.lines.get(("tags", str(at)))) and tag_written(str(tag)) != tag
    ]
    for line in sorted({line for _, line in wrong}):
        text = lines[line - 1]
        of_line = [tag for tag, at in wrong if at == line]
        found = _TAG.match(text)
        if _FLOW.match(text):
            for tag in of_line:
                alone = rf"(?<![\w.-]){re.escape(tag)}(?![\w.-])"
                text = re.sub(alone, tag_written(tag), text)
        elif found and found[3] == of_line[0]:
            text = f"{found[1]}{found[2]}{tag_written(of_line[0])}{found[4]}{found[5]}"
        if text != lines[line - 1]:
            told = ", ".join(f"tag {tag} written {tag_written(tag)}" for tag in of_line)
            yield _Edit(line, text, told)


def tag_written(tag: str) -> str:
    """Sigma tags are lower case; ATT&CK's tactics have hyphens since Sigma 2.1."""
    lowered = tag.strip().lower()
    if re.fullmatch(r"attack\.[a-z_ -]+", lowered):
        return re.sub(r"[ _]+", "-", lowered)
    return lowered


def _means_the_same(before: str, after: str) -> bool:
    old, new = (list(read_documents(text)) for text in (before, after))
    return len(old) == len(new) and all(
        not two.fault and _without(one) == _without(two) for one, two in zip(old, new, strict=True)
    )


def _without(document: RuleDocument) -> dict[str, object]:
    return {
        key: value
        for key, value in document.content.items()
        if key not in ("id", "date", "tags", *_WORDS)
    }
