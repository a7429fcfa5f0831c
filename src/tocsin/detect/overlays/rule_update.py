"""What an update of rules changes, and where that meets what people decided about them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum
from typing import Any

from tocsin.detect.overlays.overlay_content import text_diff
from tocsin.detect.reading.rule_successor import successors
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.health_rule import HealthRule
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import matchers_in
from tocsin.detect.rules.overlay import FieldChange, LifeState, Overlay, changes_between
from tocsin.detect.rules.stateful_rule import NewTermsRule, StatefulRule
from tocsin.model.rule import Rule

_OF_RULE = (
    *("title", "level", "status", "kind", "logsource", "description", "author", "tags"),
    *("false_positives", "references", "entity_kinds", "questions", "response"),
)
_NOT_FIELDS = frozenset({"rule", "tests", "line", "condition", "name"})
_LONGEST = 200
_RETIRING = frozenset({"deprecated", "unsupported"})

AnyRule = SigmaMatchRule | StatefulRule | HealthRule


class UpdateKind(StrEnum):
    """What an update does with a rule."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    RENAMED = "renamed"
    """The same rule comes under another id."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that was changed upstream and here, not in the same way.

    ``before`` is the base of both, ``upstream`` and ``local`` are the two sides.
    """

    field: str
    before: str
    upstream: str
    local: str

    def in_words(self) -> str:
        return (
            f"{self.field}: was {self.before or 'none'}, is now {self.upstream or 'none'} "
            f"upstream and {self.local or 'none'} here"
        )


@dataclass(frozen=True, slots=True)
class RuleUpdate:
    """What becomes of one rule.

    ``changed_locally`` is what its overlay says; that stays, whatever the update brings.
    ``asks`` are the reasons to ask before taking the update (a lower level, a rule that goes),
    in words; ``new_id`` is set when the rule comes under another id. ``diff`` is a unified diff
    of the texts.
    """

    rule_id: str
    title: str
    kind: UpdateKind
    changed_upstream: tuple[FieldChange, ...] = ()
    changed_locally: tuple[FieldChange, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    diff: str = ""
    asks: tuple[str, ...] = ()
    new_id: str = ""


def updates(before: RuleSet, after: RuleSet, overlays: Mapping[str, Overlay]) -> list[RuleUpdate]:
    """Every rule that differs between two sets: those to ask about first, then by title.

    Neither set may have overlays applied.
    """
    old, new = _all(before), _all(after)
    gone = [rule_id for rule_id in old if rule_id not in new]
    come = [rule_id for rule_id in new if rule_id not in old]
    carried = successors({one: old[one].rule for one in gone}, {one: new[one].rule for one in come})
    renamed = {one: successor.id for one, successor in carried.items()}
    found = [
        _removed(old[rule_id], new.get(renamed.get(rule_id, "")), overlays.get(rule_id))
        for rule_id in gone
    ]
    found += [
        RuleUpdate(one, new[one].rule.title, UpdateKind.ADDED)
        for one in come
        if one not in renamed.values()
    ]
    for rule_id in old.keys() & new.keys():
        update = update_of(old[rule_id], new[rule_id], overlays.get(rule_id))
        if update is not None:
            found.append(update)
    return sorted(found, key=lambda one: (not (one.asks or one.conflicts), one.title, one.rule_id))


def update_of(old: AnyRule, new: AnyRule, overlay: Overlay | None) -> RuleUpdate | None:
    """What happens to one rule, None when nothing does."""
    upstream = tuple(_changes(old, new))
    text_changed = old.rule.source_text.strip() != new.rule.source_text.strip()
    if not upstream and not text_changed:
        return None
    rule = new.rule
    return RuleUpdate(
        rule_id=rule.id,
        title=rule.title,
        kind=UpdateKind.CHANGED,
        changed_upstream=upstream,
        changed_locally=_local(overlay),
        conflicts=tuple(_conflicts(old, new, overlay)) if overlay else (),
        diff=_diff(old.rule, rule),
        asks=tuple(_loosened(old.rule, rule)),
    )


def _all(ruleset: RuleSet) -> dict[str, AnyRule]:
    kinds: tuple[AnyRule, ...] = (*ruleset.rules, *ruleset.stateful, *ruleset.health)
    return {one.rule.id: one for one in kinds}


def _removed(old: AnyRule, successor: AnyRule | None, overlay: Overlay | None) -> RuleUpdate:
    local = _local(overlay)
    kept = " (what you decided about it is kept)" if local else ""
    if successor is None:
        asks: tuple[str, ...] = (f"the rule is removed{kept}",)
        return RuleUpdate(
            *(old.rule.id, old.rule.title, UpdateKind.REMOVED),
            changed_locally=local,
            diff=text_diff(old.rule.source_text, "", old.rule.path, "removed"),
            asks=asks,
        )
    rule = successor.rule
    asks = (f"its id changes from {old.rule.id} to {rule.id}{kept}", *_loosened(old.rule, rule))
    return RuleUpdate(
        rule_id=old.rule.id,
        title=rule.title,
        kind=UpdateKind.RENAMED,
        changed_upstream=(FieldChange("id", old.rule.id, rule.id), *_changes(old, successor)),
        changed_locally=local,
        conflicts=tuple(_conflicts(old, successor, overlay)) if overlay else (),
        diff=_diff(old.rule, rule),
        asks=asks,
        new_id=rule.id,
    )


def _changes(old: AnyRule, new: AnyRule) -> Iterator[FieldChange]:
    for name in _OF_RULE:
        before, after = getattr(old.rule, name), getattr(new.rule, name)
        if before != after:
            yield FieldChange(name, _words(before), _words(after))
    if type(old) is not type(new):
        return
    if isinstance(old, SigmaMatchRule):
        if isinstance(new, SigmaMatchRule) and old.condition != new.condition:
            yield FieldChange("detection", _detection(old), _detection(new))
        return
    for part in fields(old):
        before, after = getattr(old, part.name), getattr(new, part.name)
        if part.name not in _NOT_FIELDS and before != after:
            yield FieldChange(part.name, _words(before), _words(after))


def _loosened(old: Rule, new: Rule) -> Iterator[str]:
    if new.level.rank < old.level.rank:
        yield f"its level falls from {old.level.value} to {new.level.value}"
    if new.status in _RETIRING and old.status not in _RETIRING:
        yield f"its authors call it {new.status}"


def _conflicts(old: AnyRule, new: AnyRule, overlay: Overlay) -> Iterator[Conflict]:
    levels = (old.rule.level, new.rule.level, overlay.level)
    if overlay.level is not None and levels[0] != levels[1] and overlay.level != levels[1]:
        yield Conflict("level", *(level.value for level in levels if level))
    is_retiring = new.rule.status in _RETIRING and old.rule.status not in _RETIRING
    if overlay.state is LifeState.STAGING and is_retiring:
        yield Conflict("state", old.rule.status, new.rule.status, overlay.state.value)
    before, after = _fields(old), _fields(new)
    for one in overlay.exceptions:
        named = {name.partition("|")[0] for name in one.fields}
        lost = sorted((named & before) - after)
        if lost:
            looked = f"looked at {', '.join(lost)}"
            yield Conflict(
                f"exception {one.id}", looked, f"no longer looks at {', '.join(lost)}", "kept"
            )


def _fields(one: AnyRule) -> set[str]:
    if isinstance(one, SigmaMatchRule):
        return {matcher.field for matcher in matchers_in(one.condition) if matcher.field}
    if isinstance(one, NewTermsRule):
        return {*one.fields, *one.group_by}
    return set() if isinstance(one, HealthRule) else {*one.group_by}


def _local(overlay: Overlay | None) -> tuple[FieldChange, ...]:
    if overlay is None:
        return ()
    return changes_between(Overlay(overlay.rule_id), overlay)


def _detection(one: SigmaMatchRule) -> str:
    return _cut(
        "; ".join(
            matcher.words(", ".join(matcher.values[:5])) for matcher in matchers_in(one.condition)
        )
    )


def _diff(old: Rule, new: Rule) -> str:
    return text_diff(old.source_text, new.source_text, f"{old.path} (before)", new.path)


def _words(value: Any) -> str:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return _cut(", ".join(_words(one) for one in value))
    if isinstance(value, timedelta):
        return str(value)
    return _cut(value if isinstance(value, str) else str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
