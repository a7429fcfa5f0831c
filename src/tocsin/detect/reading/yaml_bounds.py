"""YAML of rule files with bounds: nothing a file holds can exhaust memory or the stack."""

import re
from collections.abc import Hashable, Iterator
from typing import Any, Final

import yaml

from tocsin.detect.errors import Unsupported

DEEPEST: Final = 40
"""Maps and lists within each other; deeper ones would overflow the C stack of the parser."""
MOST_NODES: Final = 200_000
"""Keys and values of one document."""
LONGEST: Final = 8 * 1024 * 1024
"""Characters of one file."""

_CHUNK: Final = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_DIRECTIVES: Final = re.compile(r"(?:\s*(?:[#%][^\n]*)?\n)*\s*")


class TooMuch(Unsupported):
    """A document goes beyond the bounds; ``line`` counts from 0 in the document."""


class BoundedLoader(yaml.CSafeLoader):
    """Safe YAML without surprises.

    A key given twice is refused (the first would be lost silently), and a merge of several maps
    (they multiply). Dates stay texts: Sigma compares texts.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge" and not isinstance(
                value_node, yaml.MappingNode
            ):
                reason = "<< takes one map here, not a list"
                raise yaml.constructor.ConstructorError(None, None, reason, key_node.start_mark)
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key if isinstance(key, Hashable) else repr(key))
        return super().construct_mapping(node, deep)


BoundedLoader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def chunks(text: str) -> Iterator[tuple[str, int]]:
    """The documents of a file and the number of lines before each, from 0.

    Cut at the ``---`` lines before parsing, so that a broken document leaves the others readable.
    """
    starts = [0, *(match.start() for match in _CHUNK.finditer(text))]
    begin = 0
    for at, start in enumerate(starts):
        end = starts[at + 1] if at + 1 < len(starts) else len(text)
        if at == 0 and _DIRECTIVES.fullmatch(text, start, end) and end < len(text):
            continue  # blank lines, remarks and directives belong to the document they open
        begin = start if at else begin
        yield text[begin:end], text.count("\n", 0, begin)
        begin = end


def refuse_excess(text: str) -> None:
    """Raise ``TooMuch`` where a document goes beyond the bounds, ``yaml.YAMLError`` if it is none.

    Looks at the parser's events: unlike building nodes, that takes no stack however deep they go.
    """
    depth = nodes = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        nodes += isinstance(event, yaml.NodeEvent)
        line = event.start_mark.line if event.start_mark else 0
        if depth > DEEPEST:
            raise TooMuch(f"more than {DEEPEST} maps and lists within each other", line=line)
        if nodes > MOST_NODES:
            reason = f"more than {MOST_NODES:,} keys and values: put long lists of values into "
            raise TooMuch(f"{reason}the list file of an indicator rule", line=line)
