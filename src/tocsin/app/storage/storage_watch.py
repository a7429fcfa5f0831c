"""The regular look at storage: deletes what may go step by step, and keeps the forecast fresh."""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tocsin.app.health.health_measures import Measured
from tocsin.app.storage.forecast import HORIZON_DAYS, Forecast
from tocsin.app.storage.retention import Retention
from tocsin.app.storage.storage import forecast_now
from tocsin.store.ports import EventStore

_COUNTING_S = 1.0


class StorageWatch:
    """``look`` is called often; it works every ``interval_s``, or at once when more is due."""

    def __init__(
        self, folder: Path, events: EventStore, retention: Retention, interval_s: float
    ) -> None:
        self._folder = folder
        self._events = events
        self._retention = retention
        self._interval_s = interval_s
        self._due_at = 0.0
        self._forecast: Forecast | None = None
        self._stopped_because = ""

    def look(self, now: datetime) -> None:
        """One bounded step of retention; between steps others have their turn."""
        if time.monotonic() < self._due_at:
            return
        if self._events.count_some(_COUNTING_S):
            return  # of a store that is new to it, a part a look: others have their turn
        self._due_at = time.monotonic() + self._interval_s
        goes_on = False
        try:
            goes_on = self._retention.step(now)
        finally:
            self._stopped_because = self._retention.state().stopped_because
            if not goes_on:
                self._forecast = forecast_now(self._events, self._retention, now)
        if goes_on:
            self._due_at = 0.0

    def look_again(self) -> None:
        """Let the next ``look`` work: a rule was changed, a hold was lifted."""
        self._due_at = 0.0

    def measured(self) -> Iterator[Measured]:
        """What the health rules are told; nothing before the first look."""
        if self._forecast is None:
            return
        name = str(self._folder.resolve())
        if self._forecast.is_known:
            full_in_s = self._forecast.full_in_s
            yield Measured(
                "disk", name, "full_in_s", HORIZON_DAYS * 86_400 if full_in_s is None else full_in_s
            )
        because = self._stopped_because
        stopped = 1.0 if because else 0.0
        yield Measured("platform", because or "retention", "retention_stopped", stopped)
