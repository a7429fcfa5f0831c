"""Drafts a Sigma rule of a search and picked events, proven on them before anybody sees it."""

import re
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tocsin.app.drafting.detection_writing import ALWAYS, Group, Item, Node, detection_of
from tocsin.app.drafting.draft_facts import (
    asked_fields,
    faults_of,
    found_by,
    narrowest_logsource,
    tags_of_known,
)
from tocsin.app.drafting.lucene_to_sigma import SaidInSigma
from tocsin.app.drafting.native_places import NativePlaces
from tocsin.app.explaining.given_event import given_of_stored, lane_of, stored_event
from tocsin.app.wiring import Tocsin
from tocsin.detect.authoring.rule_drafting import Wished, draft_rule, leaves, rule_text
from tocsin.detect.errors import DetectError
from tocsin.model.lane import Lane
from tocsin.model.severity import Level
from tocsin.store.query import EventQuery

_LOOKED_AT = 200
_PICKED = 5
_MOST_PICKED = 20
_SLUG = re.compile(r"[^a-z0-9]+")


class DraftRefused(DetectError):
    """No sound rule can be drafted of that; says why."""


@dataclass(frozen=True, slots=True)
class WantedDraft:
    """What a rule is to be made of: a filter with its range, events, or both.

    Without ``event_ids`` the newest events that match are taken.
    """

    title: str
    query: EventQuery
    event_ids: tuple[str, ...] = ()
    level: Level = Level.MEDIUM
    tags: tuple[str, ...] = ()
    author: str = ""


@dataclass(frozen=True, slots=True)
class DraftedRule:
    """A rule that lints, passes its tests and finds the picked events.

    ``unsaid`` are parts of the filter the rule does not ask for, each with why.
    """

    rule_id: str
    text: str
    lane: str
    event_ids: tuple[str, ...]
    unsaid: tuple[str, ...]


def draft_from_search(house: Tocsin, wanted: WantedDraft, now: datetime) -> DraftedRule:
    """Raises ``DraftRefused``, ``NothingShared``, and ``QueryError`` for the filter."""
    lane, picked = _picked(house, wanted)
    natives = [native for _, native in picked]
    known = house.rule_keeper.written
    wished = Wished(
        title=wanted.title,
        level=wanted.level,
        rule_id=str(uuid.uuid4()),
        today=now.date(),
        author=wanted.author,
        tags=wanted.tags or tuple(tags_of_known(known, lane, natives)),
    )
    places = NativePlaces(lane, house.mappings.mapping_of(lane.connector))
    draft = _Draft(lane, natives, wished)
    said = SaidInSigma(wanted.query.text, places.of, draft.finds_all)
    node, lost = draft.holding(said.node)
    asked = asked_fields(known, lane)
    if node is None:
        text = draft_rule(natives, narrowest_logsource(lane), asked, wished)
    else:
        text = draft.text(node, wanted.query.text, set(asked))
    faults = faults_of(text, natives)
    if faults:
        raise DraftRefused(f"no sound rule could be drafted: {'; '.join(faults[:5])}")
    ids = tuple(event_id for event_id, _ in picked)
    return DraftedRule(wished.rule_id, text, lane.id, ids, (*said.unsaid, *lost))


def keep_draft(house: Tocsin, drafted: DraftedRule, *, by: str, now: datetime) -> str:
    """Put the rule into ``rules/drafts`` of the data folder, in the state ``draft``; its path."""
    title = drafted.text.partition("\n")[0].removeprefix("title:")
    slug = _SLUG.sub("_", title.lower()).strip("_")[:60] or "rule"
    folder = house.settings.home / "rules" / "drafts"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{slug}_{drafted.rule_id[:8]}.yml"
    house.rule_book.begin_as_draft(drafted.rule_id, reason="drafted from a search", by=by)
    with path.open("x", encoding="utf-8") as file:
        file.write(drafted.text)
    house.rule_keeper.reload(by, now)
    return str(path)


def _picked(house: Tocsin, wanted: WantedDraft) -> tuple[Lane, list[tuple[str, Any]]]:
    """The lane, and id and native fields of each event."""
    if not wanted.event_ids:
        return _newest(house, wanted.query)
    found = []
    for event_id in dict.fromkeys(wanted.event_ids[:_MOST_PICKED]):
        event = stored_event(house.events, event_id)
        if event is None:
            raise DraftRefused(f"event {event_id[:80]} is not stored (any more)")
        found.append(given_of_stored(event, house.normalizer))
    lanes = {one.lane.id: one.lane for one in found if one.lane is not None}
    if len(lanes) != 1 or any(one.lane is None for one in found):
        told = ", ".join(lanes) or "none a connector knows"
        raise DraftRefused(
            f"one rule is about events of one kind, and these are of several: {told}"
        )
    return next(iter(lanes.values())), [(one.event_id, one.native) for one in found]


def _newest(house: Tocsin, query: EventQuery) -> tuple[Lane, list[tuple[str, Any]]]:
    wanted = EventQuery(query.text, query.start, query.end, _LOOKED_AT)
    events = house.events.search(wanted).events
    counted = Counter(event.lane for event in events)
    for lane_id, _ in counted.most_common():
        lane = lane_of(lane_id, house.normalizer)
        if lane is not None:
            of_lane = [event for event in events if event.lane == lane_id][:_PICKED]
            return lane, [(event.event_id, event.native) for event in of_lane]
    raise DraftRefused(
        "no event of a kind that a connector knows matches: widen the range or pick events"
    )


class _Draft:
    """One rule in the making, tried on the picked events."""

    def __init__(self, lane: Lane, natives: Sequence[Any], wished: Wished) -> None:
        self._logsource = narrowest_logsource(lane)
        self._natives = natives
        self._events = [dict(leaves(native)) for native in natives]
        self._wished = wished

    def finds_all(self, node: Node) -> bool:
        return all(self._found(node, self._natives))

    def _found(self, node: Node, events: Sequence[Any]) -> list[bool]:
        text = rule_text(self._logsource, detection_of(node), self._wished, "", ())
        return found_by(text, events)

    def holding(self, node: Node | None) -> tuple[Node | None, list[str]]:
        """What of the condition the picked events satisfy, and what is left out for that."""
        if node is None or node is ALWAYS:
            return None, []
        if self.finds_all(node):
            return node, []
        is_and = isinstance(node, Group) and node.word == "and"
        parts = node.parts if isinstance(node, Group) and is_and else (node,)
        kept = [part for part in parts if self.finds_all(part)]
        lost = [
            f"{', '.join(sorted(fields_of(part))) or 'a part'}: the picked events don't have it "
            "so in their own fields"
            for part in parts
            if part not in kept
        ]
        if not kept:
            return None, lost
        return (kept[0] if len(kept) == 1 else Group("and", tuple(kept))), lost

    def text(self, node: Node, query: str, asked: set[str]) -> str:
        """The rule, with the picked events as tests and a near miss."""
        used = fields_of(node)
        has_keywords = any(not item.key.partition("|")[0] for item in _items(node))
        slim = [
            {name: _value(event[name]) for name in event if has_keywords or name in used | asked}
            for event in self._events
        ]
        tests = [
            {"name": f"Picked event {number}", "expect": "match", "event": event}
            for number, event in enumerate(slim, 1)
        ]
        misses = list(_misses(slim[0], used))
        silent = [
            {"name": name, "expect": "silent", "event": event}
            for (name, event), found in zip(
                misses, self._found(node, [event for _, event in misses]), strict=True
            )
            if not found
        ]
        description = f"Finds what the search {query!r} finds. Say here why that matters."
        return rule_text(
            self._logsource, detection_of(node), self._wished, description, [*tests, *silent[:2]]
        )


def fields_of(node: Node) -> set[str]:
    """The native fields a condition asks for."""
    return {item.key.partition("|")[0] for item in _items(node)} - {""}


def _items(node: Node) -> Iterator[Item]:
    if isinstance(node, Item):
        yield node
        return
    for part in node.parts:
        yield from _items(part)


def _misses(event: dict[str, Any], used: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in sorted(used & set(event)):
        yield f"The same but for {name}", {**event, name: "something else"}
    yield (
        "The same but for all it asks for",
        {name: "something else" if name in used else value for name, value in event.items()},
    )
    yield "Another event altogether", {"Unrelated": "something else"}


def _value(value: object) -> object:
    if isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list) and all(isinstance(one, str | int | float | bool) for one in value):
        return value
    return str(value)
