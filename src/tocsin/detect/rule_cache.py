"""Compiled rules kept on disk, so that a start needs no parsing: JSON of our own form."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any as AnyValue

import orjson
import structlog

from tocsin.detect.match_rule import RuleTest, SigmaMatchRule
from tocsin.detect.matcher import All, Any, Matcher, Node, Not, Operator
from tocsin.detect.rule_reading import Read
from tocsin.model.lane import LogSource
from tocsin.model.rule import Rule, RuleProblem
from tocsin.model.severity import Level

_FORM = 1
"""Raise this whenever what a rule compiles to changes; older caches are then read no more."""

_log = structlog.get_logger()

Entries = Mapping[str, Sequence[Read]]


def digest_of(content: bytes) -> str:
    """What a rule file's compiled form is kept under."""
    return blake2b(content, digest_size=16).hexdigest()


def cache_file(folder: Path, roots: Sequence[Path]) -> Path:
    """The one file that keeps the rules of these folders and files."""
    name = digest_of("\0".join(str(root.resolve()) for root in roots).encode())
    return folder / f"rules-{_FORM}-{name}.json"


class RuleCache:
    """Entries of an earlier load, decoded one by one when a file still has their digest."""

    def __init__(self, entries: dict[str, AnyValue]) -> None:
        self._entries = entries

    @classmethod
    def read(cls, path: Path) -> "RuleCache":
        """The cache at ``path``; an absent or unreadable one is empty."""
        try:
            stored = orjson.loads(path.read_bytes())
            return cls(stored["entries"] if stored["form"] == _FORM else {})
        except FileNotFoundError:
            return cls({})
        except (OSError, ValueError, TypeError, KeyError) as error:
            _log.warning("rule cache ignored", path=str(path), reason=str(error))
            return cls({})

    def get(self, digest: str, path: str, text: str) -> list[Read] | None:
        """What the file ``path`` with that content compiled to, or None when not kept."""
        stored = self._entries.get(digest)
        if stored is None:
            return None
        try:
            return [_read_back(one, path, text) for one in stored]
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return None  # damaged: compile the file again

    def __len__(self) -> int:
        return len(self._entries)


def write_cache(path: Path, entries: Entries, texts: Mapping[str, str]) -> None:
    """Replace the cache at ``path``; a full or read-only disk costs only the next start's time."""
    stored = {
        "form": _FORM,
        "entries": {
            digest: [_written(one, texts[digest]) for one in found]
            for digest, found in entries.items()
        },
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(orjson.dumps(stored))
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        _log.warning("rule cache not written", path=str(path), reason=str(error))


def _written(found: Read, text: str) -> AnyValue:
    if isinstance(found, RuleProblem):
        return [0, found.reason, found.line, found.rule_id, found.title]
    rule = found.rule
    source = rule.logsource
    own_text = None if rule.source_text == text else rule.source_text
    return [
        1,
        [rule.id, rule.title, rule.level, [source.product, source.category, source.service]],
        [rule.status, rule.description, rule.author, rule.tags, rule.techniques],
        [rule.false_positives, rule.references, rule.entity_kinds, rule.questions, rule.response],
        own_text,
        _node_written(found.condition),
        [_test_written(test) for test in found.tests],
        found.line,
    ]


def _test_written(test: RuleTest) -> AnyValue:
    event = orjson.dumps(test.event, option=orjson.OPT_NON_STR_KEYS)
    return [test.name, test.must_match, event.decode(), test.line]


def _node_written(node: Node) -> AnyValue:
    if isinstance(node, Matcher):
        return [node.field, node.operator, node.values, node.cased, node.part]
    if isinstance(node, Not):
        return {"not": _node_written(node.part)}
    name = "all" if isinstance(node, All) else "any"
    return {name: [_node_written(part) for part in node.parts]}


def _read_back(stored: AnyValue, path: str, text: str) -> Read:
    if stored[0] == 0:
        _, reason, line, rule_id, title = stored
        return RuleProblem(path, reason, line, rule_id, title)
    _, identity, about, guide, own_text, condition, tests, line = stored
    rule = Rule(
        id=identity[0],
        title=identity[1],
        level=Level(identity[2]),
        logsource=LogSource(*identity[3]),
        status=about[0],
        description=about[1],
        author=about[2],
        tags=tuple(about[3]),
        techniques=tuple(about[4]),
        false_positives=tuple(guide[0]),
        references=tuple(guide[1]),
        entity_kinds=tuple(guide[2]),
        questions=tuple(guide[3]),
        response=guide[4],
        path=path,
        source_text=text if own_text is None else own_text,
    )
    carried = tuple(
        RuleTest(name, must, orjson.loads(event), at) for name, must, event, at in tests
    )
    return SigmaMatchRule(rule, _node_read(condition), carried, line)


def _node_read(stored: AnyValue) -> Node:
    if isinstance(stored, list):
        field, operator, values, cased, part = stored
        return Matcher(field, _OPERATORS[operator], tuple(values), cased, part)
    ((name, inside),) = stored.items()
    if name == "not":
        return Not(_node_read(inside))
    parts = tuple([_node_read(part) for part in inside])
    return All(parts) if name == "all" else Any(parts)


_OPERATORS = {str(operator): operator for operator in Operator}
