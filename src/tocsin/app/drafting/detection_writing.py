"""A detection as a tree, and as a rule writes it: selections by name and a condition."""

from dataclasses import dataclass
from typing import TypeAlias

Scalar: TypeAlias = str | int | bool


@dataclass(frozen=True, slots=True)
class Item:
    """One detection item; ``key`` is ``Field|modifier``, empty for keywords."""

    key: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions joined by ``and``, ``or`` or, of one, under ``not``."""

    word: str
    parts: tuple["Node", ...]


Node: TypeAlias = Item | Group
ALWAYS = Group("and", ())
"""What every event of the log source satisfies."""


def detection_of(node: Node) -> dict[str, object]:
    """Selections by name and the condition that joins them, as a rule's ``detection`` has it."""
    writer = _Selections()
    condition = writer.condition(node, "selection")
    return {**writer.named, "condition": condition}


class _Selections:
    """What is selected, by name: positive ones first called ``selection``, others ``filter``."""

    def __init__(self) -> None:
        self.named: dict[str, object] = {}

    def condition(self, node: Node, name: str, *, inner: bool = False) -> str:
        if isinstance(node, Item):
            return self._add(_map(node) if node.key else list(node.values), name, node)
        if node.word == "not":
            return f"not {self.condition(node.parts[0], 'filter', inner=True)}"
        together, apart = _sorted_out(node)
        texts = []
        if together:
            maps = [_map(item) for item in together]
            merged = {key: value for one in maps for key, value in one.items()}
            is_one = node.word == "and" or len(maps) == 1
            texts.append(self._add(merged if is_one else maps, name, together[0]))
        texts += [self.condition(part, name, inner=True) for part in apart]
        text = f" {node.word} ".join(texts)
        return f"({text})" if inner and len(texts) > 1 else text

    def _add(self, content: object, name: str, first: Item) -> str:
        wanted = name if first.key else "keywords"
        number, free = 1, wanted
        while free in self.named:
            number += 1
            free = f"{wanted}_{number}"
        self.named[free] = content
        return free


def _sorted_out(group: Group) -> tuple[list[Item], list[Node]]:
    """The items that one selection can hold, and the other parts."""
    together: dict[str, Item] = {}
    apart: list[Node] = []
    for part in group.parts:
        if isinstance(part, Item) and part.key and part.key not in together:
            together[part.key] = part
        else:
            apart.append(part)
    return list(together.values()), apart


def _map(item: Item) -> dict[str, object]:
    return {item.key: item.values[0] if len(item.values) == 1 else list(item.values)}
