"""Lucene's query syntax as an SQL condition: parsed by luqum, built as a sqlglot tree.

What differs from Lucene, because these are logs and not prose: values compare whole and without
case, patterns in slashes are RE2 found anywhere, an address with a prefix length means the
network, and in quotes a backslash is itself unless it stands before a quote or a backslash.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

import re2
from luqum import tree
from luqum.exceptions import ParseError
from luqum.parser import lexer, parser
from sqlglot import exp

from tocsin.store import predicates
from tocsin.store.fields import WHOLE_NATIVE, Column, FieldCatalogue
from tocsin.store.ports import QueryError

LONGEST_QUERY = 10_000
DEEPEST_QUERY = 50
_ONE_AT_A_TIME = threading.Lock()  # luqum's parser keeps its state in the module
_ESCAPABLE = frozenset(r'+-&|!(){}[]^"~*?:\/ <>=')
_BARE = re.compile(r"^[A-Za-z0-9_@.-]+$")
_JOINING = re.compile(r"(AND|OR)(?=[\s(]|$)")
_PLACE = re.compile(r"at position (\d+)")


def quoted(value: str) -> str:
    """A value as Lucene takes it literally."""
    if _BARE.match(value) and value not in ("AND", "OR", "NOT", "TO"):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def escaped(text: str) -> str:
    """A text within a word: every character stands for itself, so that stars may stand beside it."""
    return "".join(f"\\{letter}" if letter in _ESCAPABLE else letter for letter in text)


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled query. ``sources`` and ``lanes``: None, or the only ones that can match."""

    condition: exp.Expr
    sources: frozenset[str] | None = None
    lanes: frozenset[str] | None = None

    @property
    def is_everything(self) -> bool:
        return self.condition == exp.true()


def compile_filter(text: str, catalogue: FieldCatalogue) -> Filter:
    """The condition ``text`` means; QueryError with its place when it means none."""
    if text.strip() in {"", "*", "*:*"}:
        return Filter(exp.true())
    root = parse_filter(text)
    try:
        condition = _Compiler(catalogue).node(root, None, 0)
    except RecursionError:
        raise QueryError("the query is nested too deeply", 0) from None
    return Filter(condition, _only(root, "source"), _only(root, "lane"))


def check_filter(text: str) -> None:
    """Raises QueryError where the text can't be read, whatever fields there are."""
    if text.strip():
        parse_filter(text)


def clauses(text: str) -> list[str]:
    """The parts of a query that must all hold, as they are written; raises QueryError."""
    return _clauses(parse_filter(text)) if text.strip() else []


def is_bare(clause: str) -> bool:
    """Whether the clause is one word or phrase that no field stands before."""
    return isinstance(parse_filter(clause), (tree.Word, tree.Phrase))


def beside_native(text: str) -> str:
    """The query in which words and phrases without a field are also looked for in native fields.

    The text itself when there is none of these; raises QueryError.
    """
    wider = text
    for word in sorted(_bare_in(parse_filter(text)) if text.strip() else [], key=lambda w: -w.pos):
        end = word.pos + word.size
        both = f"({text[word.pos : end]} OR {WHOLE_NATIVE}:{text[word.pos : end]})"
        wider = wider[: word.pos] + both + wider[end:]
    return wider


def _bare_in(node: tree.Item) -> list[tree.Term]:
    if isinstance(node, tree.SearchField):
        return []
    if isinstance(node, (tree.Word, tree.Phrase)):
        return [] if node.value == "*" else [node]
    return [word for part in node.children for word in _bare_in(part)]


def _clauses(node: tree.Item) -> list[str]:
    if isinstance(node, (tree.AndOperation, tree.UnknownOperation)):
        return [text for part in node.children for text in _clauses(part)]
    return [str(node).strip()]


def parse_filter(text: str) -> tree.Item:
    """The query as luqum's tree; QueryError with its place when it is none."""
    if len(text) > LONGEST_QUERY:
        raise QueryError(f"the query is longer than {LONGEST_QUERY:,} characters", LONGEST_QUERY)
    for at, character in enumerate(text):
        if character == "\x00" or "\ud800" <= character <= "\udfff":
            raise QueryError("the query holds a character that text can't have", at)
    try:
        with _ONE_AT_A_TIME:
            return parser.parse(text, lexer=lexer.clone())
    except ParseError as error:
        # The place is only told in words; it serves display alone.
        place = _PLACE.search(str(error))
        at = min(int(place.group(1)), len(text)) if place else len(text)
        raise QueryError(_complaint(text, at), at) from error
    except (ArithmeticError, TypeError) as error:  # a weight or nearness that is no number
        at = max(text.rfind("^"), text.rfind("~"), 0)
        raise QueryError("nearness (~) and weight (^) are not for logs", at) from error
    except RecursionError:
        raise QueryError("the query is nested too deeply", 0) from None


def _complaint(text: str, at: int) -> str:
    """What is wrong at a character that can't stand where it stands."""
    if at >= len(text):
        return "the query ends too early; is a value or a closing parenthesis missing?"
    joining = _JOINING.match(text, at)
    if joining is not None:
        return f"{joining[0]} joins two parts, and there is none before it"
    if text[at] == ")":
        before = text[:at].rstrip()
        if before.endswith(("(", "AND", "OR", "NOT")):
            return "something must stand before this parenthesis"
        return "no parenthesis is open here"
    if text[at] == ":":
        return 'a value that has a colon stands in quotes: src_ip:"fe80::1"'
    if text[at] in "\"'":
        return "quotes are double and come in pairs"
    if text[at] == "-" and text[:at].endswith((">", "<", "=")):
        return 'a number below zero stands in quotes here: >"-5"'
    if text[at] in "]}":
        return "no range is open here, or it lacks its end: [1 TO 5]"
    is_in_range = max(text.rfind("[", 0, at), text.rfind("{", 0, at)) > max(
        text.rfind("]", 0, at), text.rfind("}", 0, at)
    )
    if is_in_range:
        return "a range has two ends with TO between them: [1 TO 5]"
    return "the query can't be read from here on"


class _Compiler:
    """Walks the tree; ``columns`` are those of the field around a node, None outside of one."""

    def __init__(self, catalogue: FieldCatalogue) -> None:
        self._catalogue = catalogue

    def node(self, node: tree.Item, columns: list[Column] | None, depth: int) -> exp.Expr:
        if depth > DEEPEST_QUERY:
            raise QueryError(f"the query is nested deeper than {DEEPEST_QUERY} levels", node.pos)
        parts = [child for child in node.children if not isinstance(child, tree.NoneItem)]
        if isinstance(node, (tree.AndOperation, tree.UnknownOperation)):
            return exp.and_(*(self.node(part, columns, depth + 1) for part in parts))
        if isinstance(node, tree.OrOperation):
            return self._any(parts, columns, depth)
        if isinstance(node, (tree.Not, tree.Prohibit)):
            return predicates.negated(self.node(node.a, columns, depth + 1))
        if isinstance(node, tree.Plus):
            return self.node(node.a, columns, depth + 1)
        if isinstance(node, (tree.Group, tree.FieldGroup)):
            return exp.paren(self.node(node.expr, columns, depth + 1))
        if isinstance(node, tree.SearchField):
            return self._field(node, columns, depth)
        return _value(node, columns, self._catalogue)

    def _any(self, parts: list[tree.Item], columns: list[Column] | None, depth: int) -> exp.Expr:
        """One of them holds; whole values of a field are looked for all at once."""
        texts = {at: text for at, part in enumerate(parts) if (text := _whole(part)) is not None}
        if columns is None or len(texts) < 2:
            return exp.or_(*(self.node(part, columns, depth + 1) for part in parts))
        for at, text in texts.items():
            if isinstance(parts[at], tree.Word):
                predicates.check_network(text, parts[at].pos)
        wanted = [(text, parts[at].pos) for at, text in texts.items()]
        listed = _each(columns, lambda column: predicates.equals_one_of(column, wanted))
        others = [part for at, part in enumerate(parts) if at not in texts]
        return exp.or_(listed, *(self.node(part, columns, depth + 1) for part in others))

    def _field(self, node: tree.SearchField, outer: list[Column] | None, depth: int) -> exp.Expr:
        if outer is not None:
            raise QueryError(
                f"field {node.name!r} stands inside another field; write a value that has a "
                "colon in quotes",
                node.pos,
            )
        name = unescaped(node.name)
        if name == "_exists_":
            wanted = self._catalogue.columns(literal_text(node.expr), node.expr.pos)
            return predicates.any_of([predicates.exists(column) for column in wanted])
        columns = self._catalogue.columns(name, node.pos)
        expression = node.expr
        if isinstance(expression, tree.Prohibit) and isinstance(expression.a, tree.Word):
            number = f"-{expression.a.value}"  # pid:-5
            at = expression.pos
            return _each(columns, lambda column: predicates.equals(column, number, at))
        return self.node(expression, columns, depth + 1)


def _whole(node: tree.Item) -> str | None:
    """What a word or a phrase says when it is neither a pattern nor a network."""
    if isinstance(node, tree.Word):
        parts = pattern_parts(node.value)
        if len(parts) != 1 or parts[0] is None or predicates.ANY_CHARACTER in parts[0]:
            return None
        if node.value in {"&&", "||"}:
            return None
    elif not isinstance(node, tree.Phrase):
        return None
    text = literal_text(node)
    return text if predicates.network_of(text) is None else None


def _value(node: tree.Item, columns: list[Column] | None, catalogue: FieldCatalogue) -> exp.Expr:
    if isinstance(node, tree.Phrase):
        text = literal_text(node)
        network = predicates.network_of(text)
        if network is not None and columns is not None:
            return _each(columns, lambda column: predicates.in_network(column, network))
        return _equal(text, columns, catalogue, node.pos)
    if isinstance(node, tree.Regex):
        return _regex(node, columns or catalogue.text_columns())
    if isinstance(node, tree.Word):
        return _word(node, columns, catalogue)
    if isinstance(node, (tree.Range, tree.From, tree.To)):
        return _range(node, columns)
    raise QueryError(
        f"{str(node).strip()!r}: nearness (~) and weight (^) are not for logs", node.pos
    )


def _word(node: tree.Word, columns: list[Column] | None, catalogue: FieldCatalogue) -> exp.Expr:
    if node.value in {"&&", "||"}:
        raise QueryError("write AND, OR and NOT in words", node.pos)
    parts = pattern_parts(node.value)
    if parts == [None]:
        return exp.true() if columns is None else _each(columns, predicates.exists)
    text = "".join(part for part in parts if part is not None)
    if None in parts or predicates.ANY_CHARACTER in text:
        anywhere = columns is None
        return _each(
            columns or catalogue.text_columns(),
            lambda column: predicates.like(column, parts, anywhere=anywhere),
        )
    network = predicates.network_of(text)
    if network is not None and columns is not None:
        return _each(columns, lambda column: predicates.in_network(column, network))
    if columns is not None:
        predicates.check_network(text, node.pos)
    return _equal(text, columns, catalogue, node.pos)


def _equal(text: str, columns: list[Column] | None, catalogue: FieldCatalogue, at: int) -> exp.Expr:
    if columns is None:
        return _each(catalogue.text_columns(), lambda column: predicates.contains(column, text))
    return _each(columns, lambda column: predicates.equals(column, text, at))


def _regex(node: tree.Regex, columns: list[Column]) -> exp.Expr:
    pattern = node.value[1:-1].replace("\\/", "/")
    try:
        re2.compile(pattern, _quiet())
    except re2.error as error:
        raise QueryError(f"this is no RE2 pattern: {_told(error)}", node.pos) from error
    return _each(columns, lambda column: predicates.matches(column, pattern))


def _told(error: re2.error) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)


def _quiet() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    return options


def _range(node: tree.Item, columns: list[Column] | None) -> exp.Expr:
    if columns is None:
        raise QueryError("a range needs a field before it, as in dst_port:[1 TO 1024]", node.pos)
    low: predicates.Bound | None = None
    high: predicates.Bound | None = None
    if isinstance(node, tree.Range):
        low, high = _bound(node.low, node.include_low), _bound(node.high, node.include_high)
    elif isinstance(node, tree.From):
        low = _bound(node.a, node.include)
    else:
        high = _bound(node.a, node.include)
    return _each(columns, lambda column: predicates.compare(column, low, high, node.pos))


def _bound(node: tree.Item, is_included: bool) -> predicates.Bound | None:
    if isinstance(node, tree.Prohibit):
        return predicates.Bound(f"-{literal_text(node.a)}", node.pos, is_included)
    text = literal_text(node)
    is_open = text == "*" and isinstance(node, tree.Word)
    return None if is_open else predicates.Bound(text, node.pos, is_included)


def _each(columns: list[Column], test: Callable[[Column], exp.Expr]) -> exp.Expr:
    condition = predicates.any_of([test(column) for column in columns])
    return exp.paren(condition) if len(columns) > 1 else condition


def literal_text(node: tree.Item) -> str:
    """What a word or a phrase means literally."""
    if isinstance(node, tree.Phrase):
        return re.sub(r'\\(["\\])', r"\1", node.value[1:-1])
    if isinstance(node, tree.Word):
        return unescaped(node.value)
    raise QueryError("a word or a quoted text belongs here", node.pos)


def unescaped(word: str) -> str:
    return "".join(character for character, _is_literal in _characters(word))


def pattern_parts(word: str) -> list[str | None]:
    """The word cut at its stars (None); question marks become ``ANY_CHARACTER``."""
    parts: list[str | None] = []
    text = ""
    for character, is_literal in _characters(word):
        if character == "*" and not is_literal:
            parts += [text, None] if text else [None]
            text = ""
        else:
            is_any = character == "?" and not is_literal
            text += predicates.ANY_CHARACTER if is_any else character
    if text or not parts:
        parts.append(text)
    return [
        part
        for at, part in enumerate(parts)
        if part is not None or at == 0 or parts[at - 1] is not None
    ]


def _characters(word: str) -> list[tuple[str, bool]]:
    """Each character and whether a backslash took its meaning away."""
    found: list[tuple[str, bool]] = []
    at = 0
    while at < len(word):
        escaped = word[at] == "\\" and at + 1 < len(word) and word[at + 1] in _ESCAPABLE
        at += escaped
        found.append((word[at], escaped))
        at += 1
    return found


def _only(node: tree.Item, field: str) -> frozenset[str] | None:
    """The values ``field`` must have one of; None: not told by what is joined at the top."""
    if isinstance(node, (tree.AndOperation, tree.UnknownOperation, tree.OrOperation)):
        told = [_only(part, field) for part in node.children]
        found = [values for values in told if values is not None]
        if isinstance(node, tree.OrOperation):
            return frozenset().union(*found) if len(found) == len(told) else None
        return frozenset.intersection(*found) if found else None
    if isinstance(node, (tree.Plus, tree.Group)):
        return _only(node.children[0], field)
    if not isinstance(node, tree.SearchField) or unescaped(node.name) != field:
        return None
    group = node.expr.expr if isinstance(node.expr, tree.FieldGroup) else node.expr
    values = group.children if isinstance(group, tree.OrOperation) else [group]
    texts = [text for value in values if (text := _whole(value)) is not None]
    return frozenset(map(str.lower, texts)) if len(texts) == len(values) else None
