"""Runs what is pulled: one thread and one loop for each place the settings name."""

import importlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from tocsin.app.settings.secrets_kept import secrets_of
from tocsin.ingest.pull.pull import Kept, Pulled, PullMeans
from tocsin.ingest.pull.pull_book import KeptPosition
from tocsin.ingest.pull.pull_loop import Accept, PullLoop, SetAside
from tocsin.ingest.pull.pull_settings import IntakeSettings, PullSettings
from tocsin.model.intake import Intake
from tocsin.store.ports import StateStore

_STOP_S = 15.0
UNITS = {"s3": "objects", "kafka": "messages", "nats": "messages", "http": "pages"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A pull that the settings ask for; ``open`` connects once, raises PullError."""

    intake: Intake
    settings: IntakeSettings
    open: Callable[[], Pulled]


def wanted_pulls(settings: PullSettings, state: StateStore) -> Iterator[Wanted]:
    """Every pull of the settings; nothing of its kind's library is imported before ``open``."""
    for kind, unit in UNITS.items():
        for one in getattr(settings, kind):
            name = f"{kind}/{one.name}"
            source = one.source or name
            told = "notices" if getattr(one, "queue_url", "") else unit
            yield Wanted(
                Intake(name, kind, source, unit=told),
                one,
                partial(open_pull, kind, one, source, KeptPosition(state, name)),
            )


def open_pull(kind: str, settings: IntakeSettings, source: str, kept: Kept) -> Pulled:
    """Import the kind's module and connect; its library is imported only here."""
    module = importlib.import_module(f"tocsin.ingest.pull.pull_{kind}")
    secrets = secrets_of(settings, f"pull.{kind} {settings.name!r}")
    opened: Pulled = module.open_pull(settings, PullMeans(source, secrets, kept))
    return opened


class Pulls:
    """All pulls of a house; threads begin with ``start`` and end with ``stop``."""

    def __init__(
        self,
        settings: PullSettings,
        state: StateStore,
        accept: Accept,
        set_aside: SetAside,
        *,
        first_retry_s: float = 1.0,
    ) -> None:
        self.wanted = list(wanted_pulls(settings, state))
        self._loops = [
            PullLoop(one.intake, one.open, accept, set_aside, first_retry_s=first_retry_s)
            for one in self.wanted
        ]
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for loop in self._loops:
            thread = threading.Thread(target=loop.run, name=f"pull {loop.look().name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def look(self) -> Sequence[Intake]:
        """How each is going now, in the order of the settings' kinds."""
        return [loop.look() for loop in self._loops]

    def stop(self) -> None:
        """Let all end; one that waits for an answer in vain is left, it takes nothing any more."""
        for loop in self._loops:
            loop.stop()
        for thread in self._threads:
            thread.join(timeout=_STOP_S)
        self._threads.clear()
