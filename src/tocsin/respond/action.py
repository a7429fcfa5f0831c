"""The contract of an action: what it would do, doing it, checking it, taking it back.

A connector declares its actions in ``connectors/<vendor>/actions.py`` by a function
``make_actions(context: ActionContext) -> Sequence[Action]``; nothing else registers them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from tocsin.model.response import Impact, Target, Verb
from tocsin.store.ports import StateStore


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a containment stands, and how that was seen."""

    holds: bool
    why: str


@dataclass(frozen=True, slots=True)
class ActionContext:
    """What connectors may use. ``settings`` are the deployment's for all actions, by name."""

    state: StateStore
    clock: Callable[[], datetime]
    settings: Mapping[str, str] = field(default_factory=dict)


class Action(Protocol):
    """One way to contain. Every call has its own time limit and raises ``ActionFailed``.

    ``apply`` twice with one key is one containment, and must not succeed after ``expires_at``.
    ``handle_of`` names the containment before it is made, so that a crash in the middle of
    ``apply`` still leaves something ``undo`` can take back; ``undo`` of what is gone succeeds.
    """

    name: str
    title: str
    verb: Verb
    target_kinds: tuple[str, ...]

    def missing(self) -> str:
        """Why the action can't be used on this machine, empty when it can."""
        ...

    def plan(self, target: Target, lease_s: int) -> Impact: ...

    def handle_of(self, key: str, target: Target) -> str: ...

    def apply(self, key: str, target: Target, expires_at: datetime) -> str:
        """Contain until ``expires_at``; the handle, equal to ``handle_of(key, target)``."""
        ...

    def verify(self, handle: str) -> Verdict: ...

    def undo(self, handle: str) -> None: ...
