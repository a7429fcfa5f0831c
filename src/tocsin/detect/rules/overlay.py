"""What people decide about a rule beside its text: its state, level, exceptions and notes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from tocsin.detect.rules.schedule import Schedule
from tocsin.model.severity import Level


class LifeState(StrEnum):
    """Where a rule stands in its life. A rule nobody has decided on is active."""

    DRAFT = "draft"
    """Being written: it does not run."""
    STAGING = "staging"
    """It runs; its findings are stored and counted, and page nobody."""
    ACTIVE = "active"
    """Its findings become alerts."""
    RETIRED = "retired"
    """It does not run any more."""


MOVES: Mapping[LifeState, frozenset[LifeState]] = {
    LifeState.DRAFT: frozenset({LifeState.STAGING, LifeState.RETIRED}),
    LifeState.STAGING: frozenset({LifeState.ACTIVE, LifeState.DRAFT, LifeState.RETIRED}),
    LifeState.ACTIVE: frozenset({LifeState.STAGING, LifeState.DRAFT, LifeState.RETIRED}),
    LifeState.RETIRED: frozenset({LifeState.STAGING, LifeState.DRAFT}),
}
"""From each state, those a rule may go to: nothing becomes active without having been staged."""

RUNNING = frozenset({LifeState.STAGING, LifeState.ACTIVE})

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class RuleException:
    """Keeps a rule quiet where all ``fields`` hold.

    ``fields`` are as in a Sigma selection: ``field|modifier`` to its values, any of which may
    hold (all of them with ``|all``). ``expires`` None: never. ``expired_at`` is set once its end
    was noticed, so that a clock set back does not bring it to life again.
    """

    id: str
    owner: str
    reason: str
    fields: Mapping[str, tuple[Scalar, ...]]
    expires: datetime | None = None
    created_by: str = ""
    created_at: datetime | None = None
    expired_at: datetime | None = None

    def has_ended(self, now: datetime) -> bool:
        """True when it hides nothing (any more)."""
        return self.expired_at is not None or (self.expires is not None and self.expires <= now)

    @property
    def value_count(self) -> int:
        return sum(len(values) for values in self.fields.values())


@dataclass(frozen=True, slots=True)
class Overlay:
    """Decisions on one rule; the rule's own text stays as it came.

    ``level`` None: the rule's own. ``schedule`` None: it pages at any time. ``base_digest`` is the SHA-256 of the rule text they were made
    for, empty when that is not known.
    """

    rule_id: str
    state: LifeState = LifeState.ACTIVE
    level: Level | None = None
    exceptions: tuple[RuleException, ...] = ()
    notes: str = ""
    base_digest: str = ""
    schedule: Schedule | None = None

    def exception(self, exception_id: str) -> RuleException | None:
        return next((one for one in self.exceptions if one.id == exception_id), None)

    def with_exception(self, exception: RuleException) -> "Overlay":
        """The overlay with ``exception`` added, or in the place of the one with its id."""
        if self.exception(exception.id) is None:
            return replace(self, exceptions=(*self.exceptions, exception))
        kept = (exception if one.id == exception.id else one for one in self.exceptions)
        return replace(self, exceptions=tuple(kept))

    def without_exception(self, exception_id: str) -> "Overlay":
        kept = tuple(one for one in self.exceptions if one.id != exception_id)
        return replace(self, exceptions=kept)


@dataclass(frozen=True, slots=True)
class OverlayVersion:
    """An overlay as it is kept. ``version`` 0 is the one of a rule nobody has decided on.

    ``damage`` says what of it can't be read any more, empty when all can.
    """

    overlay: Overlay
    version: int = 0
    by: str = ""
    at: datetime | None = None
    damage: str = ""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a rule or overlay, as it was and as it is, as people read it."""

    field: str
    before: str
    after: str

    def in_words(self) -> str:
        return f"{self.field}: {self.before or 'none'} → {self.after or 'none'}"


def moves_in_words(state: LifeState) -> str:
    """``staging, draft or retired``: where a rule in ``state`` may go."""
    names = [one.value for one in LifeState if one in MOVES[state]]
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]


def changes_between(before: Overlay, after: Overlay) -> tuple[FieldChange, ...]:
    """What differs between two overlays of one rule, exception by exception."""
    found = [
        FieldChange("state", before.state.value, after.state.value),
        FieldChange("level", _level(before), _level(after)),
        FieldChange("notes", before.notes, after.notes),
        FieldChange("schedule", _when(before), _when(after)),
    ]
    sides = [{one.id: one for one in side.exceptions} for side in (before, after)]
    for exception_id in dict.fromkeys([*sides[0], *sides[1]]):
        old, new = (side.get(exception_id) for side in sides)
        if old != new:
            found.append(FieldChange(f"exception {exception_id}", _told(old), _told(new)))
    return tuple(one for one in found if one.before != one.after)


def _when(overlay: Overlay) -> str:
    return overlay.schedule.in_words() if overlay.schedule else ""


def _level(overlay: Overlay) -> str:
    return overlay.level.value if overlay.level else ""


def _told(exception: RuleException | None) -> str:
    if exception is None:
        return ""
    until = f" until {exception.expires.isoformat()}" if exception.expires else ""
    ended = ", expired" if exception.expired_at else ""
    return (
        f"{fields_in_words(exception.fields)} ({exception.owner}: {exception.reason}{until}{ended})"
    )


def fields_in_words(fields: Mapping[str, Iterable[Scalar]], most: int = 5) -> str:
    """``User: svc-backup, Image|endswith: a.exe or 3 more``."""
    parts = []
    for name, values in fields.items():
        listed = [_scalar(value) for value in values]
        more = f" or {len(listed) - most:,} more" if len(listed) > most else ""
        parts.append(f"{name}: {' or '.join(listed[:most])}{more}")
    return ", ".join(parts)


def _scalar(value: Scalar) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
