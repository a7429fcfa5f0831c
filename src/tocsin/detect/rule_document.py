"""Rule files as YAML documents that know their lines."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from sigma.exceptions import SigmaError
from sigma.rule.base import check_alias_expansion

from tocsin.detect.errors import Unsupported


@dataclass(frozen=True, slots=True)
class RuleDocument:
    """One YAML document of a rule file: its content, text, first line and key lines."""

    content: dict[str, Any]
    text: str
    line: int
    node: yaml.Node
    _lines: dict[tuple[str, ...], int] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    @property
    def lines(self) -> dict[tuple[str, ...], int]:
        """The line of every key path, list members by their number."""
        if not self._lines:
            self._lines.update(_key_lines(self.node, ()))
        return self._lines

    def line_near(self, *places: str) -> int:
        """The line of the first key path (``detection/condition``) found, else the document's.

        The last step may be the beginning of a key, so that a field name finds its modifiers.
        """
        for place in places:
            wanted = tuple(place.split("/"))
            for path, line in self.lines.items():
                head, last = path[: len(wanted) - 1], path[len(wanted) - 1 : len(wanted)]
                if head == wanted[:-1] and last and last[0].partition("|")[0] == wanted[-1]:
                    return line
        return self.line

    def line_of_key(self, field: str) -> int:
        """The line of the first detection key for ``field``, else of that key at the top."""
        for path, line in self.lines.items():
            if field and path[0] == "detection" and path[-1].partition("|")[0] == field:
                return line
        return self.line_near(field, "detection")


class _Loader(yaml.CSafeLoader):
    """Safe YAML that refuses a key given twice (the first would be lost silently)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key if isinstance(key, Hashable) else repr(key))
        return super().construct_mapping(node, deep)


class BrokenYaml(Unsupported):
    """A file that is not YAML; ``line`` is where reading failed."""


_ON_THEIR_OWN = frozenset({"correlation", "absence", "filter", "health"})
"""Kinds of document that a ``global`` one is not merged into (as in pySigma)."""


def read_documents(text: str) -> Iterator[RuleDocument]:
    """The documents of a rule file, old ``action`` documents merged. Raises ``BrokenYaml``.

    Sigma 2.1 has no ``action`` any more; as in pySigma, what a ``global`` document says goes into
    every match rule after it (over what that says) until ``reset``, and ``repeat`` is the document
    before with what it says anew.
    """
    shared: dict[str, Any] = {}
    before: dict[str, Any] = {}
    for content, document_text, node in _parsed(text):
        line = node.start_mark.line + 1
        action = content.pop("action", None)
        if action == "global":
            shared = before = content
            continue
        if action == "reset":
            shared = {}
            continue
        if action == "repeat":
            content = before = _merged(before, content)
        elif action is not None:
            raise BrokenYaml(f"action {action} is not known: global, reset or repeat", line=line)
        elif not _ON_THEIR_OWN & content.keys():
            content = before = _merged(content, shared)
        yield RuleDocument(content, document_text, line, node)


def _merged(below: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """A copy of ``below`` with ``over`` laid on it, map by map."""
    merged = dict(below)
    for key, value in over.items():
        under = merged.get(key)
        if isinstance(value, dict) and isinstance(under, dict):
            value = _merged(under, value)
        merged[key] = value
    return merged


def _parsed(text: str) -> Iterator[tuple[dict[str, Any], str, yaml.Node]]:
    rows = text.splitlines(keepends=True)
    read: list[tuple[object, yaml.Node]] = []
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                read.append((loader.construct_document(node), node))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(part for part in (error.context, error.problem) if part)
        raise BrokenYaml(f"not valid YAML: {reason}", line=mark.line + 1 if mark else 0) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BrokenYaml(f"not valid YAML: {error}") from error
    read = [(content, node) for content, node in read if content is not None]
    starts = [0, *(node.start_mark.line for _, node in read[1:]), len(rows)]
    for at, (content, node) in enumerate(read):
        line = node.start_mark.line + 1
        if not isinstance(content, dict):
            raise BrokenYaml("a rule must be a map of keys and values", line=line)
        try:
            check_alias_expansion(content)
        except SigmaError as error:
            raise BrokenYaml(str(error), line=line) from error
        yield content, "".join(rows[starts[at] : starts[at + 1]]), node


def _key_lines(
    node: yaml.Node, path: tuple[str, ...], depth: int = 0
) -> Iterator[tuple[tuple[str, ...], int]]:
    if depth > 6:
        return
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            yield here, key.start_mark.line + 1
            yield from _key_lines(value, here, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for at, value in enumerate(node.value):
            here = (*path, str(at))
            yield here, value.start_mark.line + 1
            yield from _key_lines(value, here, depth + 1)
