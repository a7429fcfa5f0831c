"""What is fetched from elsewhere: the port every kind of pull meets, and what it raises."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tocsin.ingest.cutting.cutting import Cut
from tocsin.ingest.errors import IngestError


class PullError(IngestError):
    """The other side can't be reached, refuses, or has not what was asked for; tried again.

    ``retry_after_s`` is how long the other side asked to be left alone, 0 when it did not say.
    """

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Portion:
    """What is confirmed as one: a message, an object, a page.

    ``cuts`` are made while they are taken; ``place`` says in words where the other side has it;
    ``token`` is the kind's own.
    """

    cuts: Iterable[Cut]
    place: str
    token: Any = None


class Pulled(Protocol):
    """An open connection to what is pulled from; used by one thread. All may raise PullError."""

    @property
    def idle_s(self) -> float:
        """How long to wait when ``next`` had nothing; 0 where ``next`` itself waits."""
        ...

    def next(self) -> Portion | None:
        """What comes next; None when nothing came for a second or few."""
        ...

    def hold(self, portion: Portion) -> None:
        """Called every few seconds while a portion is at work: keep it ours."""
        ...

    def confirm(self, portion: Portion) -> None:
        """All of the portion is on disk: acknowledge, delete, commit, or remember the position."""
        ...

    def lag(self) -> int | None:
        """How much waits over there; None when nobody can say."""
        ...

    def close(self) -> None:
        """Let go of what was not confirmed, so that it comes again soon; never raises."""
        ...


Secrets = Callable[[str], str]
"""The text of the secret with this name (``password``); "" when none is set. Raises PullError."""


class Kept(Protocol):
    """The position of a pull whose other side keeps none."""

    def load(self) -> Mapping[str, Any]:
        """What was kept last; empty at the first start."""
        ...

    def store(self, position: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class PullMeans:
    """What a kind of pull is opened with beside its settings."""

    source: str
    secrets: Secrets
    kept: Kept
