"""Rule files as YAML documents that know their lines."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml
from sigma.exceptions import SigmaError
from sigma.rule.base import check_alias_expansion

from tocsin.detect.reading.yaml_bounds import LONGEST, BoundedLoader, TooMuch, chunks, refuse_excess

_DEEPEST_PLACE: Final = 6
"""Key paths longer than this are found at the line of their beginning."""


@dataclass(frozen=True, slots=True)
class RuleDocument:
    """One YAML document of a rule file: its content, text, first line and key lines.

    ``fault`` says why it can't be used (``line`` is then where), empty when it can. ``before`` is
    the number of lines of the file before it.
    """

    content: dict[str, Any]
    text: str
    line: int
    node: yaml.Node | None
    before: int = 0
    fault: str = ""
    _lines: dict[tuple[str, ...], int] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    @property
    def lines(self) -> dict[tuple[str, ...], int]:
        """The line of every key path, list members by their number."""
        if not self._lines and self.node is not None:
            self._lines.update(_key_lines(self.node, (), self.before + 1))
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


_ON_THEIR_OWN = frozenset({"correlation", "absence", "filter", "health"})
"""Kinds of document that a ``global`` one is not merged into (as in pySigma)."""


def read_documents(text: str) -> Iterator[RuleDocument]:
    """The documents of a rule file, old ``action`` documents merged; broken ones tell their fault.

    Sigma 2.1 has no ``action`` any more; as in pySigma, what a ``global`` document says goes into
    every match rule after it (over what that says) until ``reset``, and ``repeat`` is the document
    before with what it says anew.
    """
    shared: dict[str, Any] = {}
    before: dict[str, Any] = {}
    for document in _parsed(text):
        content = document.content
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
            reason = f"action {action} is not known: global, reset or repeat"
            yield replace(document, fault=reason)
            continue
        elif not document.fault and not _ON_THEIR_OWN & content.keys():
            content = before = _merged(content, shared)
        yield replace(document, content=content)


def _merged(below: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """A copy of ``below`` with ``over`` laid on it, map by map."""
    merged = dict(below)
    for key, value in over.items():
        under = merged.get(key)
        if isinstance(value, dict) and isinstance(under, dict):
            value = _merged(under, value)
        merged[key] = value
    return merged


def _parsed(text: str) -> Iterator[RuleDocument]:
    if len(text) > LONGEST:
        reason = f"the file has {len(text):,} characters: at most {LONGEST:,} are read"
        yield RuleDocument({}, "", 1, None, fault=reason)
        return
    for chunk, before in chunks(text):
        try:
            refuse_excess(chunk)
            loader = BoundedLoader(chunk)
            while loader.check_node():
                node = loader.get_node()
                if node is not None:
                    yield from _constructed(loader, node, chunk, before)
        except TooMuch as error:
            yield RuleDocument({}, chunk, before + error.line + 1, None, fault=str(error))
        except yaml.MarkedYAMLError as error:
            yield _broken(error, chunk, before)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            yield RuleDocument({}, chunk, before + 1, None, fault=f"not valid YAML: {error}")


def _constructed(
    loader: BoundedLoader, node: yaml.Node, chunk: str, before: int
) -> Iterator[RuleDocument]:
    line = before + node.start_mark.line + 1
    fault = ""
    content: object = None
    try:
        content = loader.construct_document(node)
        check_alias_expansion(content)
    except yaml.MarkedYAMLError as error:
        yield _broken(error, chunk, before)
        return
    except SigmaError as error:
        fault = str(error)
    except Exception as error:
        fault = f"not valid YAML: {error or type(error).__name__}"
    if content is None and not fault:
        return
    if not fault and not isinstance(content, dict):
        fault = "a rule must be a map of keys and values"
    usable = content if isinstance(content, dict) and not fault else {}
    text = chunk.removeprefix("---\n")
    yield RuleDocument(usable, text, line, None if fault else node, before, fault)


def _broken(error: yaml.MarkedYAMLError, chunk: str, before: int) -> RuleDocument:
    mark = error.problem_mark or error.context_mark
    reason = " ".join(part for part in (error.context, error.problem) if part)
    last = max(1, len(chunk.splitlines()))  # the end of the text is told at its last line
    line = before + min((mark.line if mark else 0) + 1, last)
    return RuleDocument({}, chunk, line, None, before, f"not valid YAML: {reason}")


def _key_lines(
    node: yaml.Node, path: tuple[str, ...], first: int
) -> Iterator[tuple[tuple[str, ...], int]]:
    if len(path) > _DEEPEST_PLACE:
        return
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            yield here, key.start_mark.line + first
            yield from _key_lines(value, here, first)
    elif isinstance(node, yaml.SequenceNode):
        for at, value in enumerate(node.value):
            here = (*path, str(at))
            yield here, value.start_mark.line + first
            yield from _key_lines(value, here, first)
