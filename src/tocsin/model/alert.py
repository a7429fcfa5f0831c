"""An alert: findings of one rule about one entity, folded; and the entity's risk."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tocsin.model.because import Score
from tocsin.model.entity import Entity
from tocsin.model.finding import MatchedField
from tocsin.model.severity import Level


class AlertStatus(StrEnum):
    """Where an alert stands."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Disposition(StrEnum):
    """What a closed alert turned out to be; ``RETRACTED`` only the platform itself says."""

    TRUE_POSITIVE = "true_positive"
    BENIGN_TRUE_POSITIVE = "benign_true_positive"
    FALSE_POSITIVE = "false_positive"
    UNDETERMINED = "undetermined"
    RETRACTED = "retracted"


PEOPLE_SAY = tuple(one for one in Disposition if one is not Disposition.RETRACTED)
"""What people may close an alert as."""


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One event kept with an alert so that people see what made it.

    Of a finding made of several events it is the last one; ``since``, ``evidence`` (ids of at
    most a hundred events), ``event_count`` and ``because`` tell of them all.
    """

    event_id: str
    time: datetime
    source: str
    lane: str
    matched: tuple[MatchedField, ...]
    fields: dict[str, object]
    finding_id: str = ""
    since: datetime | None = None
    evidence: tuple[str, ...] = ()
    event_count: int = 1
    because: str = ""


@dataclass(frozen=True, slots=True)
class CountedFinding:
    """One verdict on several events as an alert remembers it.

    ``state`` is ``standing``, ``corrected`` (by another), ``retracted`` or, for the verdict that
    took one back, ``retraction``.
    """

    finding_id: str
    state: str
    corrects: str
    since: datetime
    time: datetime
    event_count: int
    because: str
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """Folded findings: same rule and entity, growing count, never capped.

    ``event_ids`` of all findings are in the event store (lane ``tocsin.finding``); the alert
    keeps the first, and the latest few as ``exemplars``. ``previous_id`` names the closed alert
    of the same fold that came before this one. Of findings made of several events, ``count``
    are those that stand; ``corrected`` says how often later events changed one, ``retracted``
    how many were taken back.
    """

    id: str
    rule_id: str
    rule_title: str
    level: Level
    entity: Entity
    related: tuple[Entity, ...]
    status: AlertStatus
    count: int
    first_seen: datetime
    last_seen: datetime
    score: Score
    techniques: tuple[str, ...]
    tags: tuple[str, ...]
    sources: tuple[str, ...]
    exemplars: tuple[Exemplar, ...]
    fold_key: str
    disposition: Disposition | None = None
    reason: str = ""
    assignee: str = ""
    case_id: str = ""
    tenant: str = "default"
    updated_at: datetime | None = None
    created_at: datetime | None = None
    previous_id: str = ""
    corrected: int = 0
    retracted: int = 0


@dataclass(frozen=True, slots=True)
class EntityRisk:
    """How worrying one entity is: the diminishing sum of its open alerts' scores.

    ``score.addends`` names each alert with the points it gives. ``tactics`` are ATT&CK tactic
    tags in the order of the kill chain.
    """

    entity: Entity
    score: Score
    alert_count: int
    finding_count: int
    first_seen: datetime
    last_seen: datetime
    highest_level: Level
    tactics: tuple[str, ...]
    alert_ids: tuple[str, ...]
