"""Turning EQL queries into Sigma documents: match rules, and a correlation over a sequence.

EQL is three-valued: a comparison with a field that is missing is neither true nor false, and
``not`` keeps it so. ``not (a == 1)`` therefore becomes "a is there and not 1". Fields keep their
names; rename them with a processing pipeline when they are called otherwise in the events.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid5

import yaml

from tocsin.detect.reading.eql_parsing import (
    EventQuery,
    Expression,
    Field,
    Joined,
    Negated,
    Sequence,
    Test,
    Truth,
    Value,
    parse_eql,
)
from tocsin.detect.reading.eql_tokens import EqlRefused
from tocsin.model.severity import Level

_SPACE: Final = UUID("7c9f2f5e-4d8b-5a0e-9a4e-1b6f6f2d9c11")
_CATEGORIES: Final = {
    "process": {"category": "process_creation"},
    "file": {"category": "file_event"},
    "registry": {"category": "registry_event"},
    "network": {"category": "network_connection"},
    "library": {"category": "image_load"},
    "driver": {"category": "driver_load"},
    "dns": {"category": "dns_query"},
    "any": {},
}
_ORDERED: Final = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_ENDS: Final = {"startswith": "startswith", "endswith": "endswith", "stringcontains": "contains"}


def sigma_from_eql(text: str, *, title: str, product: str = "", level: Level = Level.MEDIUM) -> str:
    """Sigma documents (YAML) that mean what the query means. Raises ``EqlRefused``.

    ``product`` is that of the log sources. Ids depend on title and query only.
    """
    query = parse_eql(text)
    maker = _Maker(text, title, product)
    about = {"status": "experimental", "description": f"Imported from EQL:\n{text.strip()}"}
    if isinstance(query, EventQuery):
        documents = [maker.match(query, title, about, level.value)]
    else:
        documents = maker.sequence(query, about, level.value)
    return yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True, width=100)


class _Maker:
    def __init__(self, text: str, title: str, product: str) -> None:
        self._text = text
        self._title = title
        self._product = product

    def match(
        self, query: EventQuery, title: str, about: Mapping[str, str], level: str, name: str = ""
    ) -> dict[str, Any]:
        source = _CATEGORIES.get(query.category)
        if source is None:
            known = ", ".join(_CATEGORIES)
            reason = f"category {query.category} has no Sigma log source: known are {known}"
            raise EqlRefused(reason, self._text, query.at)
        logsource = {**({"product": self._product} if self._product else {}), **source}
        if not logsource:
            raise EqlRefused("'any' needs a product for its log source", self._text, query.at)
        detection = _Detection(self._text)
        condition = detection.true(query.where)
        named = {"name": name} if name else {}
        return {
            "title": title,
            "id": self._id(title),
            **named,
            **about,
            "logsource": logsource,
            "detection": {**detection.selections, "condition": condition},
            "level": level,
        }

    def sequence(
        self, query: Sequence, about: Mapping[str, str], level: str
    ) -> list[dict[str, Any]]:
        slug = re.sub(r"[^a-z0-9]+", "_", self._title.lower()).strip("_") or "eql"
        names = [f"{slug}_{at}" for at in range(1, len(query.events) + 1)]
        told = {"status": "experimental", "description": f"One step of: {self._title}"}
        steps = [
            self.match(one, f"{self._title}, step {at}", told, "informational", name)
            for at, (one, name) in enumerate(zip(query.events, names, strict=True), 1)
        ]
        keys = {f"key_{at + 1}": at for at in range(len(query.events[0].by))}
        section: dict[str, Any] = {"rules": names}
        if query.by or keys:
            section["group-by"] = [*query.by, *keys]
        section["timespan"] = f"{int(query.maxspan.total_seconds())}s"
        if keys:
            section["aliases"] = {
                key: {name: one.by[at] for name, one in zip(names, query.events, strict=True)}
                for key, at in keys.items()
            }
        kind = self._kind(query)
        if kind == "correlation":
            section = {"type": "temporal_ordered", **section}
        head = {"title": self._title, "id": self._id(self._title), **about}
        return [{**head, kind: section, "level": level}, *steps]

    def _kind(self, query: Sequence) -> str:
        """``[a] ![b]`` is an absence; a missing event anywhere else has no words in Sigma."""
        missing = [one for one in query.events if one.missing]
        if not missing:
            return "correlation"
        if len(query.events) == 2 and missing == [query.events[1]]:
            return "absence"
        raise EqlRefused(
            "a missing event can only be carried over as the last of two", self._text, missing[0].at
        )

    def _id(self, title: str) -> str:
        return str(uuid5(_SPACE, f"{title}\0{self._text}"))


class _Detection:
    """Selections by name, and conditions over them for "is true" and "is false"."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.selections: dict[str, Any] = {}

    def true(self, one: Expression) -> str:
        if isinstance(one, Joined):
            return self._joined(one.word, [self.true(part) for part in one.parts])
        if isinstance(one, Negated):
            return self.false(one.part)
        if isinstance(one, Truth):
            return self._always() if one.holds else f"not {self._always()}"
        return self._test(one)

    def false(self, one: Expression) -> str:
        if isinstance(one, Joined):
            word = "or" if one.word == "and" else "and"
            return self._joined(word, [self.false(part) for part in one.parts])
        if isinstance(one, Negated):
            return self.true(one.part)
        if isinstance(one, Truth):
            return self.true(Truth(not one.holds))
        if one.operator == "!=":
            return self._test(Test(one.field, "==", one.values, one.at))
        if one.values == (None,):
            return self._name({f"{one.field}|exists": True})
        there = [one.field, *(value.name for value in one.values if isinstance(value, Field))]
        exists = self._name({f"{name}|exists": True for name in there})
        return f"({exists} and not {self._test(one)})"

    @staticmethod
    def _joined(word: str, parts: list[str]) -> str:
        return f"({f' {word} '.join(parts)})"

    def _always(self) -> str:
        return self._name(["*"])

    def _test(self, one: Test) -> str:
        if one.operator == "!=":
            return self.false(Test(one.field, "==", one.values, one.at))
        if one.values == (None,):
            if one.operator != "==":
                raise self._refuse("null can only be compared with == and !=", one)
            return self._name({one.field: None})
        modifiers, values = self._compared(one)
        key = "|".join([one.field, *modifiers])
        return self._name({key: values[0] if len(values) == 1 else values})

    def _compared(self, one: Test) -> tuple[list[str], list[object]]:
        if any(value is None for value in one.values):
            raise self._refuse("null can't be one of several values", one)
        if one.operator in _ORDERED:
            return [_ORDERED[one.operator]], [self._number(one)]
        plain, any_case = one.operator.removesuffix("~"), one.operator.endswith("~")
        if plain == "cidrmatch":
            return ["cidr"], [self._text_of(value, one) for value in one.values]
        if any(isinstance(value, Field) for value in one.values):
            return self._field_reference(one)
        cased = [] if any_case or plain in (":", "wildcard") else ["cased"]
        texts = [isinstance(value, str) for value in one.values]
        if any(texts) and not all(texts):
            raise self._refuse("texts and numbers can't be mixed in one list", one)
        if not all(texts):
            if plain not in ("==", "in", ":"):
                raise self._refuse(f"{one.operator} compares texts", one)
            return [], list(one.values)
        wild = plain in (":", "like", "wildcard")
        values: list[object] = [_pattern(str(value), wild) for value in one.values]
        return [*cased, *([_ENDS[plain]] if plain in _ENDS else [])], values

    def _field_reference(self, one: Test) -> tuple[list[str], list[object]]:
        (value,) = one.values if len(one.values) == 1 else (None,)
        if not isinstance(value, Field) or one.operator != "==":
            raise self._refuse("fields can be compared with == and != only", one)
        return ["fieldref", "cased"], [value.name]

    def _number(self, one: Test) -> float:
        value = one.values[0]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._refuse(f"{one.operator} can only be carried over with a number", one)
        return value

    def _text_of(self, value: Value, one: Test) -> str:
        if not isinstance(value, str):
            raise self._refuse(f"{one.operator} takes texts", one)
        return value

    def _name(self, selection: object) -> str:
        for name, before in self.selections.items():
            if before == selection and repr(before) == repr(selection):
                return name
        name = f"part_{len(self.selections) + 1}"
        self.selections[name] = selection
        return name

    def _refuse(self, reason: str, one: Test) -> EqlRefused:
        return EqlRefused(reason, self._text, one.at)


def _pattern(text: str, wild: bool) -> str:
    """The text as Sigma writes it: EQL's wildcards stay, all else is plain."""
    text = text.replace("\\", "\\\\")
    return text if wild else text.replace("*", "\\*").replace("?", "\\?")
