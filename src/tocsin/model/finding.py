"""A finding: what a rule recognized in one event or in several, with the fields that made it so."""

from dataclasses import dataclass
from datetime import datetime

from tocsin.model.entity import Entity
from tocsin.model.severity import Level


@dataclass(frozen=True, slots=True)
class MatchedField:
    """A field of the event and the value the rule recognized in it.

    ``pattern`` is the rule's side in Sigma's words (``CommandLine|contains: mimikatz``).
    """

    name: str
    value: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule and what it recognized. ``finding_id`` repeats for the same input (idempotent).

    ``entities`` are what it is about, the one to fold on first. ``fields`` are the event's
    native fields; ``ocsf`` the dotted OCSF columns. Of several events (a correlation), ``event_id``,
    ``time``, ``fields`` and ``ocsf`` are the last one's, ``since`` is the first one's time,
    ``evidence`` holds event ids (the first hundred) and ``event_count`` how many there are.

    ``supersedes`` is the finding this one corrects (late or further events); ``retracted`` says
    that what was found no longer holds. ``because`` says in words what was counted or measured,
    empty when the matched fields say it all. ``staged``: its rule pages nobody yet, so it is
    stored and counted but makes no alert. ``late``: found in stored events afterwards, as the rule
    had not looked when they came.
    """

    finding_id: str
    rule_id: str
    rule_title: str
    level: Level
    time: datetime
    event_id: str
    lane: str
    source: str
    tags: tuple[str, ...]
    techniques: tuple[str, ...]
    entities: tuple[Entity, ...]
    matched: tuple[MatchedField, ...]
    fields: dict[str, object]
    ocsf: dict[str, object]
    tenant: str = "default"
    since: datetime | None = None
    evidence: tuple[str, ...] = ()
    event_count: int = 1
    supersedes: str = ""
    retracted: bool = False
    because: str = ""
    staged: bool = False
    late: bool = False

    @property
    def is_counted(self) -> bool:
        """True when it was made of several events, so that a later finding may correct it."""
        return self.since is not None or bool(self.supersedes) or self.retracted

    @property
    def began(self) -> datetime:
        """The time of its first event."""
        return self.since or self.time
