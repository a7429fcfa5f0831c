"""What a filter may have been meant to say, where it says something else than it seems to."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from luqum import tree

from tocsin.store.errors import QueryError
from tocsin.store.fields import NATIVE
from tocsin.store.lucene import escaped, literal_text, parse_filter, unescaped

_LITERAL = re.compile(r'"(?:\\.|[^"\\])*"|(?<![^\s(:])/(?:\\.|[^/\\])*/|[\[{][^\]}]*[\]}]')
"""What stands for itself or bounds a range: in it no word is looked at."""
_JOINING = re.compile(r"(?<![^\s()])(and|or|not)(?![^\s()])", re.IGNORECASE)
_COMPARED = re.compile(r"(?<![^\s(+!-])([\w@](?:[\w.@/-]|\\.)*)\s*(==?|!=|<>)\s*(?=[^\s)=<>!:])")
_BEFORE_A_PART = re.compile(r"\b(?:AND|OR|NOT)$|[(:]$|^$")
_A_CLAUSE = re.compile(r"\s*(?:\(|[\w.@\\-]+\s*:)")
_MOST_SPELLINGS = 6

Names = Callable[[], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Hint:
    """``told`` says how the filter is read, ``better`` is the filter it may have been meant as."""

    told: str
    better: str


def filter_hints(text: str, names: Names) -> list[Hint]:
    """What to tell of a filter that can be read; ``names`` are asked for only if they matter.

    None for a filter that can't be read: its fault is told instead.
    """
    try:
        root = parse_filter(text) if text.strip() else None
        if root is None:
            return []
        return [*_words_meant_otherwise(text, names), *_spellings(text, root, names)]
    except QueryError:
        return []


@dataclass(frozen=True, slots=True)
class _Change:
    start: int
    end: int
    better: str


def _words_meant_otherwise(text: str, names: Names) -> Iterator[Hint]:
    masked = _LITERAL.sub(lambda found: "_" * len(found[0]), text)
    compared = list(_comparisons(masked, names))
    joining = list(_lower_operators(masked, {change.start for change in compared}))
    better = _changed(text, [*compared, *joining])
    if better == text or not _is_sound(better):
        return
    told: list[str] = []
    if joining:
        written = list(dict.fromkeys(text[one.start : one.end] for one in joining))
        what = "is a word" if len(written) == 1 else "are words"
        told.append(f"{_listed(written)} {what} to look for; to join parts write AND, OR, NOT")
    if compared:
        sign = text[compared[0].start : compared[0].end].strip()
        told.append(f"“{sign}” is text to look for; a value stands after a colon")
    yield Hint("; ".join(told), better)


def _lower_operators(masked: str, compared: set[int]) -> Iterator[_Change]:
    """``and``, ``or``, and ``not`` where it can't be a word of a sentence."""
    end_of_joining = -1
    for found in _JOINING.finditer(masked):
        word, before = found[1], masked[: found.start()].rstrip()
        rest = masked[found.end() :]
        is_after_joining = len(before) == end_of_joining
        if word == word.upper():
            continue
        if word.lower() == "not":
            is_clause = _A_CLAUSE.match(rest) or len(masked) - len(rest.lstrip()) in compared
            if not rest.strip() or not (is_after_joining or is_clause):
                continue
        elif _BEFORE_A_PART.search(before) or is_after_joining or not rest.strip(" )"):
            continue
        else:
            end_of_joining = found.end()
        yield _Change(found.start(), found.end(), word.upper())


def _comparisons(masked: str, names: Names) -> Iterator[_Change]:
    """``field = value`` where the field is known."""
    found = list(_COMPARED.finditer(masked))
    known = frozenset(names()) if found else frozenset()
    for one in found:
        name = unescaped(one[1])
        meant = name if name in known else f"{NATIVE}{name}"
        if meant not in known:
            continue
        front = "NOT " if one[2] in ("!=", "<>") else ""
        yield _Change(one.start(), one.end(), f"{front}{escaped(meant)}:")


def _spellings(text: str, root: tree.Item, names: Names) -> Iterator[Hint]:
    """Native fields that sources also, or only, spell otherwise."""
    named = [(node, name) for node in _fields_in(root) if (name := _named(node)).startswith(NATIVE)]
    if not named:
        return
    known: dict[str, list[str]] = defaultdict(list)
    for name in names():
        if name.startswith(NATIVE):
            known[name.lower()].append(name)
    changes: list[_Change] = []
    told: dict[str, None] = {}
    for node, name in named:
        others = [one for one in sorted(known[name.lower()]) if one != name][:_MOST_SPELLINGS]
        if not others:
            continue
        is_known = name in known[name.lower()]
        told[_told_spelling(name, others, is_known=is_known)] = None
        every = [name, *others] if is_known else others
        changes.append(_each_spelling(text, node, every))
    better = _changed(text, changes)
    if changes and _is_sound(better):
        yield Hint("; ".join(told), better)


def _told_spelling(name: str, others: list[str], *, is_known: bool) -> str:
    if is_known:
        return f"{name} finds this spelling alone; some sources write {_listed(others)}"
    return f"no source writes {name}; this finds {_listed(others)}"


def _each_spelling(text: str, node: tree.SearchField, names: list[str]) -> _Change:
    start = node.pos
    clause = text[start : start + node.size].rstrip()
    if node.name == "_exists_":
        asked = [f"_exists_:{escaped(name)}" for name in names]
    else:
        asked = [f"{escaped(name)}{clause[len(node.name) :]}" for name in names]
    return _Change(
        start, start + len(clause), asked[0] if len(asked) == 1 else f"({' OR '.join(asked)})"
    )


def _fields_in(node: tree.Item) -> Iterator[tree.SearchField]:
    if isinstance(node, tree.SearchField):
        yield node
        return
    for part in node.children:
        yield from _fields_in(part)


def _named(node: tree.SearchField) -> str:
    name = unescaped(node.name)
    if name == "_exists_" and isinstance(node.expr, (tree.Word, tree.Phrase)):
        return literal_text(node.expr)
    return name


def _changed(text: str, changes: list[_Change]) -> str:
    for change in sorted(changes, key=lambda one: -one.start):
        text = text[: change.start] + change.better + text[change.end :]
    return text


def _is_sound(text: str) -> bool:
    try:
        parse_filter(text)
    except QueryError:
        return False
    return True


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"“{word}”" for word in words)
