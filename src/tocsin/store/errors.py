"""What can go wrong in the store; the ports give it on, this file costs nothing to import."""


class StoreError(Exception):
    """Root of what the store raises; says what, where and what to do."""


class StoreAway(StoreError):
    """A store on another machine can't be reached now: nothing is wrong with what was asked."""


class StoreMoved(StoreError):
    """Segments were merged away while they were read; the query can be begun anew."""


class SpoolFull(StoreError):
    """The spool has reached its limit; nothing was taken in."""


class HomeInUse(StoreError):
    """Another process serves this data folder."""


class QueryError(StoreError):
    """A query that can't be run; ``at`` is the 0-based character it fails at, None if unknown."""

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message)
        self.at = at


class QueryStopped(QueryError):
    """A query that was ended before it had its answer: by someone, or as its time was up."""
