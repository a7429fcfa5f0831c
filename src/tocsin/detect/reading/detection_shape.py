"""The shape of a detection as Sigma 2.1 has it: what is of another shape is refused by line.

PySigma reads more and guesses: an empty list as null, a key without a name as a keyword, numbers
as names; nested lists to any depth.
"""

from collections.abc import Mapping
from typing import Any, Final

from tocsin.detect.errors import Unsupported
from tocsin.detect.reading.rule_document import RuleDocument

ESCAPED_PERCENT: Final = "\ue025"
"""Stands for a percent sign that is no part of a placeholder (private use, U+E025)."""

_SCALARS = (str, int, float, bool)
_NUMERIC: Final = frozenset({"lt", "lte", "gt", "gte"})
_MOST_VALUES: Final = 100_000
_LONGEST_CONDITION: Final = 8192
_MOST_COMPARISONS: Final = 500_000
"""Comparisons of one rule, each value counted wherever the condition names its selection."""
_DASHES: Final = frozenset("-/\N{EN DASH}\N{EM DASH}\N{HORIZONTAL BAR}")


def shaped(detection: object, document: RuleDocument, name: str) -> dict[str, Any]:
    r"""The detection as pySigma may read it. Raises ``Unsupported``.

    Under ``expand``, ``\%`` is written as ``ESCAPED_PERCENT``: Sigma's way to say a plain percent
    sign, which pySigma doesn't know.
    """
    if not isinstance(detection, Mapping):
        raise Unsupported(f"{name} must be a map of selections and a condition", name)
    shape = _Shape(document)
    found: dict[str, Any] = {}
    for key, value in detection.items():
        if not isinstance(key, str):
            line = document.lines.get((name, str(key)), document.line_near(name))
            raise Unsupported(f"the name {key} of a selection must be a text", line=line)
        if key == "condition" or (name == "filter" and key == "rules"):
            found[key] = value
        else:
            found[key] = shape.selection(value, (name, key))
    if detection.get("condition", "") is None:
        raise Unsupported(f"{name}/condition is empty", "condition")
    _bound(detection.get("condition"), shape.comparisons, name)
    return found


def _bound(condition: object, comparisons: int, name: str) -> None:
    several = condition if isinstance(condition, list) else [condition]
    texts = [one for one in several if isinstance(one, str)]
    if len(texts) < len(several) and condition is not None:
        raise Unsupported(f"{name}/condition must be a text or a list of texts", "condition")
    if sum(len(one) for one in texts) > _LONGEST_CONDITION:
        reason = f"a condition has at most {_LONGEST_CONDITION:,} characters"
        raise Unsupported(reason, "condition")
    words = sum(len(one.split()) for one in texts)
    if words * comparisons > _MOST_COMPARISONS:
        raise Unsupported(
            f"the condition comes to more than {_MOST_COMPARISONS:,} comparisons: split the "
            "rule, or put values into the list file of an indicator rule",
            "condition",
        )


class _Shape:
    def __init__(self, document: RuleDocument) -> None:
        self._document = document
        self.comparisons = 0

    def _refuse(self, reason: str, path: tuple[str, ...]) -> Unsupported:
        lines = self._document.lines
        while path and path not in lines:
            path = path[:-1]
        return Unsupported(reason, line=lines.get(path, self._document.line))

    def selection(self, value: object, path: tuple[str, ...]) -> object:
        if isinstance(value, Mapping):
            return self._map(value, path)
        if isinstance(value, list):
            if not value:
                raise self._refuse(f"selection {path[-1]} is empty", path)
            return [self._member(one, (*path, str(at))) for at, one in enumerate(value)]
        return self._scalar(value, path)

    def _member(self, value: object, path: tuple[str, ...]) -> object:
        if isinstance(value, Mapping):
            return self._map(value, path)
        return self._scalar(value, path)

    def _map(self, value: Mapping[Any, Any], path: tuple[str, ...]) -> dict[str, Any]:
        if not value:
            raise self._refuse(f"selection {path[1]} is empty", path)
        found = {}
        for key, inner in value.items():
            here = (*path, str(key))
            if not isinstance(key, str):
                raise self._refuse(f"field name {key} must be a text: put it in quotes", here)
            found[key] = self._values(key, inner, here)
        return found

    def _values(self, key: str, value: object, path: tuple[str, ...]) -> object:
        modifiers = key[:_LONGEST_CONDITION].split("|")[1:]
        if len(set(modifiers)) < len(modifiers):
            raise self._refuse(f"{key[:200]} has a modifier twice", path)
        if isinstance(value, list):
            if not value:
                raise self._refuse(f"{key} has an empty list of values: nothing matches it", path)
            if len(value) > _MOST_VALUES:
                raise self._refuse(
                    f"{key} has {len(value):,} values, at most {_MOST_VALUES:,} are taken: put "
                    "them into the list file of an indicator rule",
                    path,
                )
            return [
                self._value(key, one, modifiers, (*path, str(at))) for at, one in enumerate(value)
            ]
        return self._value(key, value, modifiers, path)

    def _value(
        self, key: str, value: object, modifiers: list[str], path: tuple[str, ...]
    ) -> object:
        if isinstance(value, Mapping):
            raise self._refuse(
                f"the value of {key} is a map: name inner fields with dots ({key}.NAME)", path
            )
        if "re" in modifiers and not isinstance(value, str):
            raise self._refuse(f"{key}: an expression must be a text: put it in quotes", path)
        value = self._scalar(value, path)
        self.comparisons += _comparisons(value, modifiers)
        if isinstance(value, int) and not _is_exact(value):
            if _NUMERIC & set(modifiers):
                raise self._refuse(f"{key}: {str(value)[:40]} is too long to be compared", path)
            return str(value)  # pySigma would keep some sixteen digits of it
        if isinstance(value, str) and "expand" in modifiers:
            return _with_plain_percents(value)
        return value

    def _scalar(self, value: object, path: tuple[str, ...]) -> object:
        if value is None or isinstance(value, _SCALARS):
            return value
        kind = "list in a list" if isinstance(value, list) else type(value).__name__
        raise self._refuse(f"a value can't be a {kind}", path)


def _is_exact(number: int) -> bool:
    """Whether a float holds every digit."""
    try:
        return int(float(number)) == number
    except OverflowError:
        return False


def _comparisons(value: object, modifiers: list[str]) -> int:
    """How many values the modifiers make of one."""
    count = 3 if "base64offset" in modifiers else 1
    if "windash" in modifiers and isinstance(value, str):
        count *= 5 ** min(3, sum(character in _DASHES for character in value))
    return count


def _with_plain_percents(text: str) -> str:
    found: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            pair = text[at : at + 2]
            found.append(ESCAPED_PERCENT if pair == "\\%" else pair)
            at += 2
        else:
            found.append(text[at])
            at += 1
    return "".join(found)
