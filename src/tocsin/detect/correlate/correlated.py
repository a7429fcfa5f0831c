"""What correlation says of several events, and what it wants remembered."""

from dataclasses import dataclass
from datetime import datetime

from tocsin.model.rule import Rule


@dataclass(frozen=True, slots=True)
class Correlated:
    """A stateful rule's verdict on a group, new or corrected.

    ``finding_id`` repeats when the same input is worked on again. ``supersedes`` is the id of the
    verdict this one corrects; ``retracted``: the condition no longer holds, after late events.
    ``group`` are (field or alias, text) pairs, ``measured`` the value (count, sum, …) that was
    compared and ``because`` says it in words (``event_count 12, gte 10 within 5m``).
    ``event_ids`` are at most a hundred of the ``event_count`` events, in order of time, the last
    one always among them. ``lane``, ``source``, ``native``, ``ocsf`` are the last event's; the
    dicts are empty when that event came in an earlier turn (an absence, say).
    """

    rule: Rule
    finding_id: str
    group: tuple[tuple[str, str], ...]
    since: datetime
    time: datetime
    measured: float
    because: str
    event_ids: tuple[str, ...]
    event_count: int
    lane: str
    source: str
    native: dict[str, object]
    ocsf: dict[str, object]
    tenant: str = "default"
    supersedes: str = ""
    retracted: bool = False


@dataclass(frozen=True, slots=True)
class Saved:
    """A piece of state to be written in the turn's transaction; ``content`` None: delete it."""

    rule_id: str
    key: str
    content: bytes | None
