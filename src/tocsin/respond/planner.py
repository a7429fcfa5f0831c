"""Plans an action and has the gate judge it: the same way when asked, approved and applied."""

from dataclasses import dataclass
from typing import Any

from tocsin.model.response import Target
from tocsin.respond.action import Action
from tocsin.respond.blast_radius import blast_radius
from tocsin.respond.errors import BadRequest
from tocsin.respond.gate import Ruling, judge
from tocsin.respond.parts import ResponseParts
from tocsin.respond.target import network_of


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done: an action by name, a target, for how long."""

    action: str
    target: Target
    lease_s: int

    def as_json(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "kind": self.target.kind,
            "value": self.target.value,
            "lease_s": self.lease_s,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Wish":
        return cls(content["action"], Target(content["kind"], content["value"]), content["lease_s"])


class Planner:
    """Finds actions, asks them what they would do, and lets the gate judge it."""

    def __init__(self, parts: ResponseParts) -> None:
        self._parts = parts

    def action(self, name: str) -> Action:
        """The action of that name; raises ``BadRequest`` when it can't be used here."""
        action = self._parts.actions.get(name)
        if action is None:
            known = ", ".join(sorted(self._parts.actions)) or "none"
            raise BadRequest(f"no action is named {name!r} (known: {known})")
        missing = action.missing()
        if missing:
            raise BadRequest(f"action {name!r} can't be used on this machine: {missing}")
        return action

    def rule(self, wish: Wish) -> Ruling:
        """Plan and judge, writing nothing."""
        action = self.action(wish.action)
        if wish.target.kind not in action.target_kinds:
            kinds = ", ".join(action.target_kinds)
            raise BadRequest(f"action {wish.action!r} takes {kinds}, not {wish.target.kind}")
        return judge(
            wish.action,
            action.verb,
            wish.target,
            wish.lease_s,
            action.plan(wish.target, wish.lease_s),
            blast_radius(network_of(wish.target), self._parts.assets),
            self._parts.policy,
        )
