"""Making a condition smaller without changing what it means."""

from tocsin.detect.rules.matcher import TEXT_OPERATORS, Any, Matcher, Node, Not


def simplify(node: Node) -> Node:
    """The same truth with nested lists flattened and like alternatives put in one matcher."""
    if isinstance(node, Matcher):
        return node
    if isinstance(node, Not):
        part = simplify(node.part)
        return part.part if isinstance(part, Not) else Not(part)
    parts: list[Node] = []
    for part in node.parts:
        simple = simplify(part)
        parts.extend(simple.parts if isinstance(simple, type(node)) else [simple])
    if isinstance(node, Any):
        parts = _merged(parts)
    return parts[0] if len(parts) == 1 else type(node)(tuple(parts))


def _merged(parts: list[Node]) -> list[Node]:
    merged: dict[object, list[Matcher]] = {}
    others: dict[object, Node] = {}
    for at, part in enumerate(parts):
        if isinstance(part, Matcher) and part.operator in TEXT_OPERATORS:
            merged.setdefault((part.field, part.operator, part.cased), []).append(part)
        else:
            merged[at] = []
            others[at] = part
    return [_one_of(alike) if alike else others[key] for key, alike in merged.items()]


def _one_of(alike: list[Matcher]) -> Matcher:
    if len(alike) == 1:
        return alike[0]
    values = tuple(dict.fromkeys(value for one in alike for value in one.values))
    return Matcher(alike[0].field, alike[0].operator, values, alike[0].cased)
