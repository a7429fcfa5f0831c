"""Holds work on bytes to a rate, and ends it when it is to stop."""

import threading
import time


class Stopped(Exception):
    """The work was asked to stop; it can be begun again."""


class Pace:
    """Called as work goes on; waits as long as it is ahead of ``bytes_per_s``."""

    def __init__(self, stop: threading.Event, bytes_per_s: int) -> None:
        self._stop = stop
        self._bytes_per_s = bytes_per_s
        self._begun = time.monotonic()
        self._bytes = 0

    def keep(self, size: int) -> None:
        """Count ``size`` bytes; raises ``Stopped`` when the work is to end."""
        self._bytes += size
        ahead_s = self._bytes / self._bytes_per_s - (time.monotonic() - self._begun)
        if self._stop.wait(max(0.0, ahead_s)):
            raise Stopped
