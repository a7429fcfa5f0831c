"""An intake: a place that records are fetched from, or a door they are sent to with a signature."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class IntakeState(StrEnum):
    """How it stands between us and what a source is fetched from."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    FAILING = "failing"
    """It is tried again; ``Intake.error`` says what is wrong."""
    FULL = "full"
    """We have no room: nothing is fetched until there is."""


@dataclass(frozen=True, slots=True)
class Intake:
    """How a source is fetched, or lets itself be sent to by a webhook.

    ``position`` is what was taken last, in the other side's words; ``lag`` how many of ``unit``
    wait there (None: nobody can say); ``portions`` were confirmed since the start, the last one
    at ``last_at``. ``refused`` counts by reason what was not let in.
    """

    name: str
    kind: str
    source: str
    state: IntakeState = IntakeState.CONNECTING
    since: datetime | None = None
    error: str = ""
    position: str = ""
    lag: int | None = None
    unit: str = "messages"
    portions: int = 0
    last_at: datetime | None = None
    refused: Mapping[str, int] = field(default_factory=dict)
