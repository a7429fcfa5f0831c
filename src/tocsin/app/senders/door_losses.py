"""Adds what is lost at the door of a listener to its ledger: nobody else would ever know of it."""

import threading
from datetime import datetime

from tocsin.ingest.sources.ledger import SourceBook
from tocsin.store.ports import StateStore

_DOORS = ("udp", "tls")


def door_name(door: str, listener: str) -> str:
    """The ledger of a door (``udp``, ``tls``): what is lost there has no sender's name."""
    return f"syslog/{door}/{listener}" if listener else f"syslog/{door}"


def is_behind(source: str, door: str) -> bool:
    """True for the sources that come in by the door of that name."""
    kind, _, listener = door.removeprefix("syslog/").partition("/")
    if not door.startswith("syslog/") or kind not in _DOORS or source == door:
        return False
    own = source.removeprefix("syslog/").split("/")
    return own[0] == listener and len(own) == 2 if listener else len(own) == 1


class DoorLosses:
    """Follows the counters of one listener, which begin at 0 with it; safe between threads."""

    def __init__(self, state: StateStore, sources: SourceBook, listener: str) -> None:
        """``listener`` is its name, empty for the one without."""
        self._state = state
        self._sources = sources
        self._listener = listener
        self._dropped = self._refused = 0
        self._looking = threading.Lock()

    def look(self, dropped: int | None, tls_refused: int, now: datetime) -> None:
        """Add what was lost since the last look; ``dropped`` None: no kernel tells."""
        with self._looking:
            fresh = max(0, (dropped or 0) - self._dropped)
            refused = max(0, tls_refused - self._refused)
            if not (fresh or refused):
                return
            with self._state.begin() as tx:
                self._sources.add_lost(tx, door_name("udp", self._listener), now, dropped=fresh)
                self._sources.add_lost(
                    tx, door_name("tls", self._listener), now, tls_refused=refused
                )
            self._dropped += fresh
            self._refused += refused
