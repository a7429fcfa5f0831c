"""What of the memory is written after a turn, and how it is read again."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import orjson
import pyarrow as pa

from tocsin.detect.correlate.correlated import Saved
from tocsin.detect.correlate.episodes import KINDS, NAMES, EpisodeRows, Episodes, Piece
from tocsin.detect.correlate.memory import Memory
from tocsin.detect.correlate.names import Names, NamesPiece
from tocsin.detect.correlate.ordered_runs import Keys, Run, Runs
from tocsin.detect.correlate.packing import packed, unpacked
from tocsin.detect.correlate.rule_plan import Keeping, RulePlan
from tocsin.detect.correlate.rule_state import RuleState
from tocsin.detect.correlate.trailing import covered
from tocsin.detect.correlate.watermark import Progress, SourceProgress
from tocsin.detect.errors import DetectError

_SHARED = ""
_STATE = "state"


def changes_between(before: Memory, after: Memory, prints: Mapping[str, str]) -> list[Saved]:
    """The pieces that are new, changed or gone; ``prints`` tell what rules measured them."""
    found = list(_shared_changes(before, after))
    for rule_id, state in after.rules.items():
        old = before.rules.get(rule_id)
        if old is state:
            continue
        found += _rule_changes(rule_id, old or RuleState(), state)
        if old is None or _facts(old) != _facts(state):
            facts = {**_facts(state), "print": prints[rule_id]}
            found.append(Saved(rule_id, _STATE, orjson.dumps(facts)))
    return found


def keys_of(rule_id: str, state: RuleState) -> list[Saved]:
    """What takes the rule's pieces away."""
    gone = _rule_changes(rule_id, state, RuleState())
    return [*gone, Saved(rule_id, _STATE, None)]


def _rule_changes(rule_id: str, before: RuleState, after: RuleState) -> Iterator[Saved]:
    for letter, old_runs, new_runs in (
        ("e", before.events.runs, after.events.runs),
        ("t", before.terms.runs, after.terms.runs),
        ("b", _begins(before), _begins(after)),
    ):
        old_numbers = {run.number for run in old_runs}
        new_numbers = {run.number for run in new_runs}
        for number in sorted(old_numbers - new_numbers):
            yield Saved(rule_id, f"{letter}{number}", None)
        for run in new_runs:
            if run.number not in old_numbers:
                yield Saved(rule_id, f"{letter}{run.number}", _run_bytes(run))
    old_numbers = {piece.number for piece in before.episodes.pieces}
    new_numbers = {piece.number for piece in after.episodes.pieces}
    for number in sorted(old_numbers - new_numbers):
        yield Saved(rule_id, f"p{number}", None)
    for piece in after.episodes.pieces:
        if piece.number not in old_numbers:
            yield Saved(rule_id, f"p{piece.number}", _piece_bytes(piece))


def _begins(state: RuleState) -> tuple[Run, ...]:
    """Begins that can't be worked out from the entries: when groups were first seen."""
    return () if state.ends.runs else state.begins.runs


def _facts(state: RuleState) -> dict[str, int]:
    return {
        "sealed": state.sealed,
        "reached": state.reached,
        "late": state.late,
        "evicted": state.evicted,
        "ungrouped": state.ungrouped,
    }


def _run_bytes(run: Run) -> bytes:
    return packed({"keys": run.keys, "starts": run.starts, "times": run.times, **run.columns})


def _piece_bytes(piece: Piece) -> bytes:
    rows = piece.rows(piece.alive)
    return packed({"groups": piece.groups, **{name: getattr(rows, name) for name in NAMES}})


def _shared_changes(before: Memory, after: Memory) -> Iterator[Saved]:
    old_numbers = {piece.number for piece in before.names.pieces}
    new_numbers = {piece.number for piece in after.names.pieces}
    for number in sorted(old_numbers - new_numbers):
        yield Saved(_SHARED, f"n{number}", None)
    for piece in after.names.pieces:
        if piece.number not in old_numbers:
            content = packed({"keys": piece.keys}, piece.texts.to_pylist())
            yield Saved(_SHARED, f"n{piece.number}", content)
    if before.progress != after.progress or before.places != after.places:
        sources = {
            name: [one.latest, one.heard_at, one.delays]
            for name, one in after.progress.sources.items()
        }
        facts = {"sources": sources, "places": after.places}
        yield Saved(_SHARED, "progress", orjson.dumps(facts))


def restored(
    saved: Iterable[Saved], plans: Mapping[str, RulePlan], prints: Mapping[str, str]
) -> tuple[Memory, list[Saved]]:
    """The memory of what was saved, and what takes away pieces that are of no use.

    Those are of rules that are no more or measure something else than they did.

    Raises ``DetectError`` when a piece can't be read.
    """
    pieces: dict[str, dict[str, bytes]] = {}
    for one in saved:
        if one.content is not None:
            pieces.setdefault(one.rule_id, {})[one.key] = one.content
    memory = Memory()
    stale: list[Saved] = []
    for rule_id, mine in pieces.items():
        if rule_id != _SHARED and _print_in(mine) != prints.get(rule_id):
            stale += [Saved(rule_id, key, None) for key in mine]
            continue
        try:
            if rule_id == _SHARED:
                memory = _with_shared(memory, mine)
            else:
                rules = {**memory.rules, rule_id: _state_of(mine, plans[rule_id])}
                memory = replace(memory, rules=rules)
        except (ValueError, KeyError, TypeError) as error:
            raise DetectError(
                f"the saved correlation state of {rule_id or 'all rules'} can't be read "
                f"({error}): delete it to start that rule afresh"
            ) from error
    return memory, stale


def _print_in(pieces: Mapping[str, bytes]) -> object:
    try:
        facts = orjson.loads(pieces[_STATE])
        return facts.get("print")
    except (KeyError, AttributeError, orjson.JSONDecodeError):
        return None


def _with_shared(memory: Memory, pieces: Mapping[str, bytes]) -> Memory:
    named: list[NamesPiece] = []
    for key, content in pieces.items():
        if key.startswith("n"):
            columns, texts = unpacked(content)
            texts = pa.array(texts, pa.large_string())
            named.append(NamesPiece.of(columns["keys"], texts, int(key[1:])))
    named.sort(key=lambda piece: piece.number)
    number = named[-1].number + 1 if named else 0
    names = Names(tuple(named), number, sum(len(piece.keys) for piece in named))
    facts = orjson.loads(pieces.get("progress", b'{"sources": {}, "places": []}'))
    sources = {
        name: SourceProgress(latest, heard_at, tuple(delays))
        for name, (latest, heard_at, delays) in facts["sources"].items()
    }
    places = tuple((lane, source) for lane, source in facts["places"])
    return replace(memory, names=names, progress=Progress(sources), places=places)


def _state_of(pieces: Mapping[str, bytes], plan: RulePlan) -> RuleState:
    events: list[Run] = []
    terms: list[Run] = []
    begins: list[Run] = []
    episodes: list[tuple[int, Keys, EpisodeRows]] = []
    for key, content in pieces.items():
        if key == _STATE:
            continue
        columns = unpacked(content)[0]
        number = int(key[1:])
        if key[0] == "p":
            rows = EpisodeRows(
                *(
                    columns[name].astype(kind, copy=False)
                    for name, kind in zip(NAMES, KINDS, strict=True)
                )
            )
            episodes.append((number, columns["groups"], rows))
        else:
            keys, starts, times = (columns.pop(name) for name in ("keys", "starts", "times"))
            run = Run(keys, starts, times, columns, number)
            {"e": events, "t": terms, "b": begins}[key[0]].append(run)
    facts = orjson.loads(pieces[_STATE])
    state = RuleState(
        events=_runs(events),
        terms=_runs(terms),
        begins=_runs(begins),
        episodes=Episodes.restored(episodes),
        **{name: facts[name] for name in _facts(RuleState())},
    )
    if plan.keeping is Keeping.COVERED:
        return covered(state, plan.span)
    return state


def _runs(runs: list[Run]) -> Runs:
    ordered = sorted(runs, key=lambda run: run.number)
    return Runs(tuple(ordered), ordered[-1].number + 1 if ordered else 0)
