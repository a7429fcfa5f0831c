"""The body of Elasticsearch's bulk API: lines of actions and documents, taken apart."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from tocsin.ingest.bodies.sent_names import clean_name
from tocsin.ingest.cutting.cutting import Maker, line_groups
from tocsin.ingest.cutting.wrapped import are_wrapped, opened_lines
from tocsin.ingest.decode import decode
from tocsin.ingest.request_bounds import RequestBounds
from tocsin.ingest.sources.seen_ids import Claim, key_of
from tocsin.model.record import Decoded, Framing, RawBatch

_TAKEN = ("index", "create")
_KNOWN = (*_TAKEN, "update", "delete")
_DAY = re.compile(r"[-_.](?:\d{4}[.-]\d{2}(?:[.-]\d{2})?|\d{6,8})(?:-\d{6})?$")


class BulkFault(ValueError):
    """A body that can't be told apart; nothing of it is taken in."""


@dataclass(frozen=True, slots=True)
class Action:
    """What a sender wants done with one document; ``reason`` says why that can't be."""

    verb: str
    index: str
    id: str | None
    reason: str = ""


@dataclass(slots=True)
class _Group:
    """The documents for one index, and the number of the item that each is (or is a part of)."""

    documents: list[bytes] = field(default_factory=list)
    items: list[int] = field(default_factory=list)

    def add(self, document: bytes, action: Action, item: int) -> None:
        self.documents.append(document if action.id is None else _with_id(document, action.id))
        self.items.append(item)

    def opened(self) -> "_Group":
        """With the records of wrappers as documents of their own."""
        group = _Group()
        for document, item in zip(self.documents, self.items, strict=True):
            parts = opened_lines(document).split(b"\n")
            group.documents += parts
            group.items += [item] * len(parts)
        return group


@dataclass(frozen=True, slots=True)
class Bulk:
    """Batches for the spool, one source an index; what was asked for, item by item, and refused.

    Of ``actions`` those are taken in that have no line in ``reasons``. Documents that can't be
    read are in the batches, too, and end in quarantine.
    """

    batches: list[RawBatch]
    actions: list[Action]
    reasons: Mapping[int, str]
    repeated: Mapping[int, str] = field(default_factory=dict)
    """Items that had come before and are not in the batches, each with its source."""
    changed: frozenset[int] = frozenset()
    """Items whose id had come before with other content: events of their own."""


def take_bulk(body: bytes, index: str, maker: Maker, claim: Claim | None = None) -> Bulk:
    """``index`` is that of the path, for actions that name none; raises BulkFault.

    What ``claim`` knows by its id is left out; without one nothing is.
    """
    RequestBounds(BulkFault).add((body.count(b"\n") + 1) // 2)
    return _take(list(_pairs(body, index)), maker, claim)


def take_document(body: bytes, action: Action, maker: Maker, claim: Claim | None = None) -> Bulk:
    """The same for a document that comes alone."""
    document = body.strip().translate(_ONE_LINE)
    if not document:
        raise BulkFault("the request has no body; send a JSON object")
    return _take([(action, document)], maker, claim)


def _take(pairs: Sequence[tuple[Action, bytes | None]], maker: Maker, claim: Claim | None) -> Bulk:
    actions = [action for action, _ in pairs]
    groups: dict[str, _Group] = {}
    reasons: dict[int, str] = {}
    told = tell_repeated(pairs, maker.source, claim) if claim is not None else Told()
    for number, (action, document) in enumerate(pairs):
        if action.reason:
            reasons[number] = action.reason
        elif document is not None and number not in told.repeated:
            group = groups.get(action.index)
            if group is None:
                group = groups[action.index] = _Group()
            group.add(document, action, number)
    bulk = _made(groups, actions, reasons, maker)
    if claim is not None:
        unread = set(reasons)
        claim.fresh = [key for n, keys in told.keys.items() if n not in unread for key in keys]
    repeated = {n: f"{maker.source}/{source_part(actions[n].index)}" for n in told.repeated}
    return replace(bulk, repeated=repeated, changed=frozenset(told.changed))


@dataclass(slots=True)
class Told:
    """By the number of the item: what had come before, and the keys of what had not."""

    repeated: set[int] = field(default_factory=set)
    changed: set[int] = field(default_factory=set)
    keys: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)


def tell_repeated(pairs: Sequence[tuple[Action, bytes | None]], sender: str, claim: Claim) -> Told:
    """``create`` goes by the id alone, as in Elasticsearch: the first document has it.

    ``index`` replaces a document there; events do not change, so one with other content under a
    known id is an event of its own, and only the same content is a repetition.
    """
    told = Told()
    for number, (action, document) in enumerate(pairs):
        if action.id is not None and not action.reason and document is not None:
            name = (sender.encode(), action.index.encode(), action.id.encode("utf-8", "replace"))
            told.keys[number] = key_of(*name), key_of(*name, document)
    if not told.keys:
        return told
    known = claim.known(key for keys in told.keys.values() for key in keys)
    for number, (by_id, by_content) in list(told.keys.items()):
        if (by_id if pairs[number][0].verb == "create" else by_content) in known:
            told.repeated.add(number)
            del told.keys[number]
        elif by_id in known:
            told.changed.add(number)
        known |= {by_id, by_content}
    return told


_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


def source_part(index: str) -> str:
    """The index's name without the day that senders put behind it: a source is not new each day."""
    return clean_name(_DAY.sub("", index))


def _pairs(body: bytes, index: str) -> Iterator[tuple[Action, bytes | None]]:
    known: dict[bytes, Action] = {}
    lines = iter(body.split(b"\n"))
    number = 0
    for line in lines:
        number += 1
        action = known.get(line)
        if action is None:
            if not line.strip():
                continue
            action = _action(line, number, index)
            if action.id is None:
                known[line] = action
        if action.verb == "delete":
            yield action, None
            continue
        document = next(lines, b"")
        number += 1
        if not document or document.isspace():
            raise BulkFault(
                f"line {number}: the action in line {number - 1} is followed by no document"
            )
        yield action, document


def _action(line: bytes, number: int, index: str) -> Action:
    try:
        told: Any = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BulkFault(f"line {number}: malformed action: {error}") from error
    action = told if isinstance(told, dict) and len(told) == 1 else {"": None}
    ((verb, about),) = action.items()
    if verb not in _KNOWN or not isinstance(about, dict):
        raise BulkFault(
            f'line {number}: malformed action: {{"index": {{…}}}} or {{"create": {{…}}}} is expected'
        )
    return _read_action(verb, about, number, index)


def _read_action(verb: str, about: Mapping[str, Any], number: int, index: str) -> Action:
    name, given = about.get("_index", index), about.get("_id")
    if not isinstance(name, str) or not (given is None or isinstance(given, str | int)):
        raise BulkFault(f"line {number}: malformed action: _index and _id are texts")
    reason = "" if name else "no index: name one in the action or in the path"
    if verb not in _TAKEN:
        reason = f"{verb} is not possible: events that were taken in do not change"
    return Action(verb, name, None if given is None else str(given), reason)


def _with_id(document: bytes, given: str) -> bytes:
    """``_id`` among the fields; a document may not have one of its own."""
    opened = document.lstrip()
    if not opened.startswith(b"{"):
        return document
    inside = opened[1:].lstrip()
    comma = b"" if inside.startswith(b"}") else b","
    return b'{"_id":' + orjson.dumps(given) + comma + inside


def _made(
    groups: Mapping[str, _Group], actions: list[Action], reasons: dict[int, str], maker: Maker
) -> Bulk:
    batches: list[RawBatch] = []
    for index, group in groups.items():
        named = replace(maker, source=f"{maker.source}/{source_part(index)}")
        found = _looked_at(group, named)
        if any(are_wrapped(decoded, in_texts=False) for _, decoded in found):
            group = group.opened()
            found = _looked_at(group, named)
        for batch, decoded in found:
            batches.append(batch)
            for bad in decoded.unreadable:
                reasons[group.items[bad.ordinal - 1]] = bad.reason
    return Bulk(batches, actions, reasons)


def _looked_at(group: _Group, named: Maker) -> list[tuple[RawBatch, Decoded]]:
    found: list[tuple[RawBatch, Decoded]] = []
    at = 0
    for payload, count in line_groups(b"\n".join(group.documents)):
        batch = named.batch(payload, at + 1, Framing.DOCUMENTS)
        found.append((batch, decode(batch, read_text=False)))
        at += count
    return found
