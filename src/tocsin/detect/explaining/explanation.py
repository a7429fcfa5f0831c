"""Why a rule matches a record or not: every part of its condition with what the record holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import FIELD_REFERENCES, KEYWORD, All, Matcher, Node, Not
from tocsin.detect.rules.oracle import found_by, holds
from tocsin.detect.rules.value_text import text_of
from tocsin.model.field_path import values_at

_MOST_VALUES = 5
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Explained:
    """A part of a condition and its verdict on one record.

    ``words`` say it as Sigma does (``CommandLine|contains: a, b``) or are ``all of``, ``any of``,
    ``not``. ``seen`` are the record's values of the field (none: it has no such field), of a
    keyword nothing; ``by`` are the rule's own values that made it hold.
    """

    words: str
    held: bool
    seen: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    parts: "tuple[Explained, ...]" = ()


def explain_all(rule: SigmaMatchRule, record: Mapping[str, object]) -> Explained:
    """The whole condition of ``rule`` against the native fields ``record``, in the order written."""
    return _explained(rule.condition, record)


def first_failures(explained: Explained) -> Iterator[Explained]:
    """The smallest parts to blame for a condition that didn't hold; nothing when it did."""
    if explained.held:
        return
    blamed = [part for part in explained.parts if not part.held]
    if explained.words == "not" or not blamed:
        yield explained
        return
    for part in blamed:
        yield from first_failures(part)


def _explained(node: Node, record: Mapping[str, object]) -> Explained:
    if isinstance(node, Matcher):
        return _matcher(node, record)
    held = holds(node, record)
    if isinstance(node, Not):
        return Explained("not", held, parts=(_explained(node.part, record),))
    words = "all of" if isinstance(node, All) else "any of"
    return Explained(words, held, parts=tuple(_explained(part, record) for part in node.parts))


def _matcher(matcher: Matcher, record: Mapping[str, object]) -> Explained:
    found = list(found_by(matcher, record))
    shown = ", ".join(_short(value) for value in matcher.values[:_MOST_VALUES])
    if len(matcher.values) > _MOST_VALUES:
        shown += f" … ({len(matcher.values)} values)"
    by = tuple(dict.fromkeys(one.pattern for one in found)) if matcher.values else ()
    return Explained(
        words=matcher.words(shown),
        held=bool(found),
        seen=tuple(_short(text) for text in _seen(matcher, record, [one.value for one in found])),
        by=tuple(_short(pattern) for pattern in by),
    )


def _seen(matcher: Matcher, record: Mapping[str, object], matched: list[str]) -> Iterator[str]:
    if matcher.field == KEYWORD:
        yield from dict.fromkeys(matched)
        return
    names = [matcher.field]
    if matcher.operator in FIELD_REFERENCES:
        names.extend(matcher.values)
    for name in names:
        for value in values_at(record, name) or []:
            if value is None:
                continue
            text = text_of(value)
            yield text if text is not None else "(an object)"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … ({len(text)} characters)"
