"""Rules that watch measurements of the platform and of what it watches, not events."""

from dataclasses import dataclass
from datetime import timedelta

from tocsin.detect.rules.stateful_rule import Bound
from tocsin.model.rule import Rule


@dataclass(frozen=True, slots=True)
class HealthRule:
    """Finds a subject whose ``metric`` holds all ``bounds`` for at least ``lasting``.

    ``subject`` is the kind of thing measured (``source``, ``disk``, ``platform``);
    ``only`` narrows it to names by Sigma wildcards, none: all.
    """

    rule: Rule
    metric: str
    bounds: tuple[Bound, ...]
    lasting: timedelta = timedelta(0)
    subject: str = "source"
    only: tuple[str, ...] = ()
    line: int = 1
