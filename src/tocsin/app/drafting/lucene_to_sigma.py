"""Says a filter as a Sigma detection on native fields, and names what Sigma can't say."""

from collections.abc import Callable, Sequence

from luqum import tree

from tocsin.app.drafting.detection_writing import ALWAYS, Group, Item, Node, Scalar
from tocsin.app.drafting.native_places import NativePlace, NotNative
from tocsin.detect.authoring.rule_drafting import escaped
from tocsin.store.lucene import literal_text, parse_filter, pattern_parts, unescaped
from tocsin.store.predicates import ANY_CHARACTER, network_of

PlacesOf = Callable[[str], list[NativePlace]]
Fits = Callable[[Node], bool]


class SaidInSigma:
    """The filter's meaning: ``node`` (None: every event of the log source).

    ``unsaid`` are the parts that are left out, each with why.
    """

    def __init__(self, text: str, places_of: PlacesOf, fits: Fits) -> None:
        """``fits`` tells whether the picked events satisfy a condition."""
        self._places_of = places_of
        self._fits = fits
        self.unsaid: list[str] = []
        self.node: Node | None = None
        if text.strip() not in {"", "*", "*:*"}:
            self.node = self._node(parse_filter(text), None)

    def _node(self, node: tree.Item, name: str | None) -> Node | None:
        parts = [child for child in node.children if not isinstance(child, tree.NoneItem)]
        if isinstance(node, (tree.AndOperation, tree.UnknownOperation)):
            return _joined("and", [self._node(part, name) for part in parts])
        if isinstance(node, tree.OrOperation):
            return _joined("or", [self._node(part, name) for part in parts])
        if isinstance(node, (tree.Not, tree.Prohibit)):
            inner = self._node(node.a, name)
            if inner is ALWAYS:
                self.unsaid.append(f"{str(node).strip()}: every event of the log source has that")
                return None
            return None if inner is None else Group("not", (inner,))
        if isinstance(node, tree.Plus):
            return self._node(node.a, name)
        if isinstance(node, (tree.Group, tree.FieldGroup)):
            return self._node(node.expr, name)
        if isinstance(node, tree.SearchField):
            return self._field(node)
        return self._leaf(node, name)

    def _field(self, node: tree.SearchField) -> Node | None:
        name = unescaped(node.name)
        if name == "_exists_":
            return self._of_field(literal_text(node.expr), node, lambda place: _exists(place))
        if isinstance(node.expr, tree.Prohibit):
            self.unsaid.append(f"{node!s}".strip() + ": a negative number")
            return None
        return self._node(node.expr, name)

    def _leaf(self, node: tree.Item, name: str | None) -> Node | None:
        if name is None:
            return self._keyword(node)
        return self._of_field(name, node, lambda place: _item(node, place))

    def _of_field(
        self, name: str, node: tree.Item, make: Callable[[NativePlace], Node]
    ) -> Node | None:
        """The condition at the place the picked events have it; None when it always holds."""
        shown = (
            f"{name}:{str(node).strip()}" if not isinstance(node, tree.SearchField) else str(node)
        )
        try:
            places = self._places_of(name)
            made = [make(place) for place in places if place.constant is None]
            if not made:
                _check_constant(node, [place.constant or "" for place in places])
                return ALWAYS
        except NotNative as error:
            self.unsaid.append(f"{shown}: {error}")
            return None
        fitting = next((one for one in made if self._fits(one)), made[0])
        if isinstance(fitting, Group) and fitting.word == "or" and self._fits(fitting.parts[0]):
            return fitting.parts[0]
        return fitting

    def _keyword(self, node: tree.Item) -> Node | None:
        if isinstance(node, tree.Word):
            parts = pattern_parts(node.value)
            return ALWAYS if parts == [None] else Item("", (_wild(parts),))
        if isinstance(node, tree.Phrase):
            return Item("", (escaped(literal_text(node)),))
        if isinstance(node, tree.Regex):
            return Item("|re|i", (_pattern_of(node),))
        self.unsaid.append(f"{str(node).strip()}: it names no field")
        return None


def _item(node: tree.Item, place: NativePlace) -> Node:
    field = place.field
    if isinstance(node, (tree.Range, tree.From, tree.To)):
        return _range(node, place)
    if place.values:
        return _of_table(node, place)
    if isinstance(node, tree.Regex):
        if place.separator:
            raise NotNative(f"it is a part of {field}, and the pattern may begin anywhere")
        return Item(f"{field}|re|i", (_pattern_of(node),))
    if isinstance(node, tree.Word):
        parts = pattern_parts(node.value)
        if parts == [None]:
            return _exists(place)
        return _word(parts, place)
    if isinstance(node, tree.Phrase):
        return _word([literal_text(node)], place)
    raise NotNative("nearness (~) and weight (^) are not for logs")


def _word(parts: list[str | None], place: NativePlace) -> Node:
    field = place.field
    texts = [part for part in parts if part is not None]
    literal = texts[0] if len(texts) == 1 and ANY_CHARACTER not in texts[0] else None
    if literal is not None and parts == [literal]:
        if network_of(literal) is not None:
            return Item(f"{field}|cidr", (literal,))
        if place.separator:
            behind = Item(f"{field}|endswith", (escaped(place.separator + literal),))
            return Group("or", (behind, Item(field, (escaped(literal),))))
        return Item(field, (_scalar(literal),))
    if literal is not None:
        before, after = parts[0] is None, parts[-1] is None
        if before and after:
            return Item(f"{field}|contains", (escaped(literal),))
        if before:
            return Item(f"{field}|endswith", (escaped(literal),))
        if not place.separator:
            return Item(f"{field}|startswith", (escaped(literal),))
        return Item(f"{field}|contains", (escaped(place.separator + literal),))
    whole = [None, place.separator + (parts[0] or ""), *parts[1:]] if place.separator else parts
    return Item(field, (_wild(whole),))


def _of_table(node: tree.Item, place: NativePlace) -> Node:
    """A value of a table the mapping looks up, as the field's own values."""
    if isinstance(node, (tree.Word, tree.Phrase)):
        native = (place.values or {}).get(literal_text(node).casefold())
        if native:
            return Item(place.field, tuple(_scalar(one) for one in native))
        raise NotNative(f"no value of {place.field} stands for it")
    raise NotNative(f"it is looked up from {place.field} by a table")


def _range(node: tree.Item, place: NativePlace) -> Node:
    if place.separator or place.values:
        raise NotNative(f"a range of what is worked out of {place.field}")
    if isinstance(node, tree.Range):
        bounds = [
            ("gte" if node.include_low else "gt", node.low),
            ("lte" if node.include_high else "lt", node.high),
        ]
    elif isinstance(node, tree.From):
        bounds = [("gte" if node.include else "gt", node.a)]
    else:
        bounds = [("lte" if node.include else "lt", node.a)]
    items: list[Node | None] = []
    for modifier, bound in bounds:
        negative = isinstance(bound, tree.Prohibit)
        text = literal_text(bound.a if negative else bound)
        if text == "*":
            continue
        if not text.isdecimal():
            raise NotNative("Sigma compares whole numbers only")
        items.append(Item(f"{place.field}|{modifier}", (-int(text) if negative else int(text),)))
    return _joined("and", items) or _exists(place)


def _exists(place: NativePlace) -> Node:
    return Item(f"{place.field}|exists", (True,))


def _check_constant(node: tree.Item, constants: Sequence[str]) -> None:
    """A value that every event of the lane has needs no condition; another matches none."""
    if isinstance(node, (tree.Word, tree.Phrase)):
        wanted = literal_text(node).casefold()
        if wanted in {one.casefold() for one in constants} or wanted == "*":
            return
    if isinstance(node, tree.SearchField):
        return
    raise NotNative(f"every event of the log source has {constants[0]!r} there")


def _joined(word: str, parts: Sequence[Node | None]) -> Node | None:
    """None when nothing of it can be said."""
    kept = [part for part in parts if part is not None]
    if word == "or" and any(part is ALWAYS for part in kept):
        return ALWAYS
    said = [part for part in kept if part is not ALWAYS]
    if word == "or":
        said = _with_lists(said)
    if not said:
        return ALWAYS if kept else None
    return said[0] if len(said) == 1 else Group(word, tuple(said))


def _with_lists(parts: Sequence[Node]) -> list[Node]:
    """Items of the same key are one item with a list."""
    found: dict[str, Item] = {}
    others: list[Node] = []
    for part in parts:
        if isinstance(part, Item):
            known = found.get(part.key)
            values = (*(known.values if known else ()), *part.values)
            found[part.key] = Item(part.key, tuple(dict.fromkeys(values)))
        else:
            others.append(part)
    return [*found.values(), *others]


def _wild(parts: Sequence[str | None]) -> str:
    """Parts with stars between them as a Sigma value."""
    written = ""
    for at, part in enumerate(parts):
        if part is None:
            written += "*"
            continue
        pieces = part.split(ANY_CHARACTER)
        for number, piece in enumerate(pieces):
            is_before_wildcard = number < len(pieces) - 1 or at < len(parts) - 1
            text = escaped(piece)
            written += text + ("\\" if text.endswith("\\") and is_before_wildcard else "")
            written += "?" if number < len(pieces) - 1 else ""
    return written


def _pattern_of(node: tree.Regex) -> str:
    text: str = node.value[1:-1].replace("\\/", "/")
    return text


def _scalar(text: str) -> Scalar:
    is_number = text.isdecimal() and text.isascii() and str(int(text)) == text
    return int(text) if is_number else escaped(text)
