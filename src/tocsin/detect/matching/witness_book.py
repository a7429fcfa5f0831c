"""Which witnesses were chosen for a lane's rules, kept for the next start."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any as AnyValue

import orjson

from tocsin.detect.matching.compiled_store import CompiledStore
from tocsin.detect.matching.literal_scan import Literal
from tocsin.detect.matching.witness import FieldLiteral, Probe, Witness
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import All, Matcher, Node, Not, Operator, matchers_in

_FORMAT = 1
_MOST_ENTRIES = 20_000
_OPERATORS = {operator.value: operator for operator in Operator}


class WitnessBook:
    """Choices of one lane by what the rule says, so that an edited rule invalidates only its own.

    ``learned``: whether they were chosen by events seen, not by a rule of thumb.
    """

    def __init__(
        self,
        lane_id: str,
        store: CompiledStore | None,
        fingerprint_of: Callable[[SigmaMatchRule], str] | None = None,
    ) -> None:
        self._fingerprint_of = fingerprint_of or (lambda rule: fingerprint(rule.condition))
        self._key = f"witnesses-{blake2b(lane_id.encode(), digest_size=12).hexdigest()}"
        self._store = store
        self._entries: dict[str, AnyValue] = {}
        self.learned = False
        entry = store.get(self._key) if store else None
        if entry is not None:
            try:
                content = orjson.loads(entry)
                if content["format"] == _FORMAT:
                    self._entries, self.learned = content["chosen"], bool(content["learned"])
            except (ValueError, KeyError, TypeError):
                self._entries = {}

    def witness(self, rule: SigmaMatchRule) -> Witness | None:
        """What was chosen for the rule; raises ``KeyError`` when nothing was."""
        atoms = self._entries[self._fingerprint_of(rule)]
        if atoms is None:
            return None
        matchers: list[Matcher] = []
        found: list[FieldLiteral | Probe] = []
        for field, operator, value in atoms:
            if operator:
                found.append(FieldLiteral(field, Literal(value, _OPERATORS[operator])))
            elif value < 0:
                found.append(Probe(Matcher(field, Operator.EXISTS)))
            else:
                matchers = matchers or matchers_in(rule.condition)
                found.append(Probe(matchers[value]))
        return Witness(0.0, tuple(found))

    def keep(
        self,
        chosen: Mapping[int, Witness | None],
        rules: Mapping[int, SigmaMatchRule],
        *,
        learned: bool,
    ) -> None:
        """Write the choices down for the next start, beside those of rules not running now."""
        if self._store is None:
            return
        entries = {
            self._fingerprint_of(rules[number]): _written(witness, rules[number].condition)
            for number, witness in chosen.items()
        }
        if len(self._entries) < _MOST_ENTRIES:
            entries = {**self._entries, **entries}
        self._entries, self.learned = entries, learned
        content = {"format": _FORMAT, "learned": learned, "chosen": entries}
        self._store.put(self._key, orjson.dumps(content))


def fingerprint(condition: Node) -> str:
    """The same for conditions that say the same, on every machine."""
    words: list[str] = []
    _write_words(condition, words.append)
    text = "\0".join(words)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _write_words(node: Node, write: Callable[[str], None]) -> None:
    if isinstance(node, Matcher):
        values = "\0".join(node.values)
        write(f"{node.operator._value_} {node.part} {node.cased} {len(node.values)} {len(values)}")
        write(node.field)
        write(values)
    elif isinstance(node, Not):
        write("not")
        _write_words(node.part, write)
    else:
        write(f"{'all' if isinstance(node, All) else 'any'} {len(node.parts)}")
        for part in node.parts:
            _write_words(part, write)


def _written(witness: Witness | None, condition: Node) -> AnyValue:
    if witness is None:
        return None
    matchers: Sequence[Matcher] = ()
    atoms: list[tuple[str, str, AnyValue]] = []
    for atom in witness.atoms:
        if isinstance(atom, FieldLiteral):
            atoms.append((atom.field, atom.literal.operator.value, atom.literal.text))
        else:
            matchers = matchers or matchers_in(condition)
            at = matchers.index(atom.matcher) if atom.matcher in matchers else -1
            atoms.append((atom.matcher.field, "", at))
    return atoms
