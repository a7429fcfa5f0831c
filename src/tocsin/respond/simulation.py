"""A dry run of a playbook: the same walk, with every write replaced by its plan."""

from collections.abc import Callable
from dataclasses import dataclass

from tocsin.model.response import Target
from tocsin.respond.asking import RunFacts
from tocsin.respond.cacao import ActionStep, Command
from tocsin.respond.command import filled
from tocsin.respond.containment import locate, read_filled, wish_of
from tocsin.respond.errors import BadRequest, Refused, RespondError
from tocsin.respond.gate import Decision, Ruling
from tocsin.respond.parts import ResponseParts
from tocsin.respond.planner import Planner, Wish
from tocsin.respond.playbook import Playbook
from tocsin.respond.target import network_of, network_target
from tocsin.respond.walker import (
    BRANCH,
    Scope,
    Unwound,
    Walker,
    initial_variables,
    walk_parallel_branch,
)
from tocsin.store.durable import ChildRun, DurableError, JsonObject, Walk


@dataclass(frozen=True, slots=True)
class SimulatedStep:
    """What a step would do. The last one, named ``Outcome``, says how the run would end."""

    step_id: str
    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class Told:
    """The log of a simulation, in order."""

    steps: list[SimulatedStep]

    def add(self, step_id: str, name: str, detail: str) -> None:
        self.steps.append(SimulatedStep(step_id, name, detail))


async def simulate(
    parts: ResponseParts, playbook: Playbook, target: Target, lease_s: int
) -> tuple[SimulatedStep, ...]:
    """Walk without writing, sleeping or asking; every approval is taken as given."""
    network_of(target)
    told = Told([])
    facts = RunFacts("simulation", "", "simulation", playbook.digest)
    inputs = {
        "__address__": network_target(target.value).value,
        "__lease_ms__": str(lease_s * 1000),
        "__case__": "",
    }
    performer = _Simulated(parts, told)

    def walker_on(walk: Walk) -> Walker:
        return Walker(playbook.document, performer, walk, facts.as_json())

    walk = _InMemory("simulation", walker_on)
    scope = Scope(initial_variables(playbook.document, inputs))
    try:
        await walker_on(walk).walk_branch(playbook.document.workflow_start, scope)
    except Unwound as failure:
        outcome = "refused" if failure.is_refusal else "failed"
        told.add("", "Outcome", f"{outcome}: {failure}")
        handler = playbook.document.workflow_exception
        if handler is not None:
            told.add(handler, "Exception handler", "the playbook's workflow_exception is walked")
    else:
        told.add("", "Outcome", "succeeded, if every approval is given")
    return tuple(told.steps)


class _Simulated:
    """Performs commands by telling what they would do."""

    def __init__(self, parts: ResponseParts, told: Told) -> None:
        self._parts = parts
        self._planner = Planner(parts)
        self._told = told

    async def perform(
        self, walk: Walk, step_id: str, step: ActionStep, agent: str, scope: Scope
    ) -> dict[str, str]:
        answers: dict[str, str] = {}
        for command in step.commands:
            name = step.name or step_id
            try:
                answers |= self._one(step_id, name, command, agent, scope)
            except RespondError as error:
                self._told.add(step_id, name, f"would stop: {error}")
                raise
        return answers

    def _one(
        self, step_id: str, name: str, command: Command, agent: str, scope: Scope
    ) -> dict[str, str]:
        if command.type == "manual":
            if scope.plan is None:
                raise RespondError("asks for approval before a plan_only step has made the plan")
            ruling = self._judged(Wish.from_json(scope.plan))
            whom = ruling.asked_of or self._parts.policy.limits.ask
            question = filled(command.command or "", scope.variables)
            self._told.add(step_id, name, f"would ask {whom}: {question}")
            return {"approval": "simulation", "approved_by": whom}
        openc2 = read_filled(command, scope)
        if openc2.action == "locate":
            found = locate(self._parts, openc2.target_text)
            asset, services = found["asset"] or "no asset of ours", found["services"] or "none"
            self._told.add(step_id, name, f"{openc2.target_text}: {asset}, services: {services}")
            return found
        if openc2.action in ("query", "delete"):
            done = "verify the containment" if openc2.action == "query" else "end the lease"
            self._told.add(step_id, name, f"would {done}")
            return {"status": "simulation", "why": "nothing was written"}
        wish = wish_of(openc2, agent)
        ruling = self._judged(wish)
        scope.plan = wish.as_json()
        summary = ruling.plan.impact.summary
        touched = ", ".join(ruling.plan.impact.objections) or "touches no asset of ours"
        self._told.add(step_id, name, f"would {summary} ({ruling.decision.value}): {touched}")
        planned = {
            "decision": ruling.decision.value,
            "asked_of": ruling.asked_of,
            "digest": ruling.plan.digest,
            "summary": summary,
        }
        return {**planned, "lease": "simulation", "expires_at": "", "expires_ms": "0"}

    def _judged(self, wish: Wish) -> Ruling:
        ruling = self._planner.rule(wish)
        if ruling.decision is Decision.REFUSE:
            raise Refused("; ".join(ruling.reasons))
        return ruling


class _InMemory:
    """A walk that keeps nothing: steps run at once, waits are over at once."""

    def __init__(self, run_id: str, walker_on: Callable[[Walk], Walker]) -> None:
        self._run_id = run_id
        self._walker_on = walker_on
        self._count = 0

    @property
    def run_id(self) -> str:
        return self._run_id

    async def step(
        self, name: str, call: Callable[[str], JsonObject], timeout_s: float | None = None
    ) -> JsonObject:
        self._count += 1
        return call(f"{self._run_id}:{self._count}")

    async def wait(self, topic: str, timeout_s: float) -> JsonObject | None:
        return None

    async def child(self, workflow: str, run_id: str, inputs: JsonObject) -> ChildRun:
        if workflow != BRANCH:
            raise DurableError(f"a simulation starts no {workflow!r}")
        walker = self._walker_on(_InMemory(run_id, self._walker_on))
        return _Ended(await walk_parallel_branch(walker, inputs))


@dataclass(frozen=True, slots=True)
class _Ended:
    """A branch that was walked already."""

    ending: JsonObject

    async def result(self) -> JsonObject:
        return self.ending


def usable(playbook: object) -> Playbook:
    """A loaded playbook, or ``BadRequest`` with the first of its problems."""
    if isinstance(playbook, Playbook):
        return playbook
    reasons = "; ".join(map(str, playbook)) if isinstance(playbook, tuple) else "not a playbook"
    raise BadRequest(f"the playbook can't be walked: {reasons}")
