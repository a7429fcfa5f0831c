"""Walks a playbook: a small, fixed order of calls, so that a replay takes the same way.

A failing step goes to its ``on_failure`` or unwinds: branch by branch to the step that opened it,
up to the playbook, whose ``workflow_exception`` is then walked. Nothing is ever skipped silently.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tocsin.respond.cacao import (
    ActionStep,
    AnyStep,
    Document,
    EndStep,
    IfStep,
    ParallelStep,
    Step,
    SwitchStep,
    WhileStep,
)
from tocsin.respond.condition import BadCondition, read_condition
from tocsin.respond.errors import Refused, RespondError
from tocsin.store.durable import JsonObject, StepFailed, Walk

BRANCH = "respond.branch"
MOST_ROUNDS = 100


class Unwound(RespondError):
    """A step failed and nothing below caught it. ``is_refusal`` when it was a no."""

    def __init__(self, where: str, reason: str, is_refusal: bool) -> None:
        super().__init__(f"{where}: {reason}" if where else reason)
        self.where = where
        self.reason = reason
        self.is_refusal = is_refusal


@dataclass(slots=True)
class Scope:
    """What a branch knows: variables by name (``__name__``) and the plan last asked for."""

    variables: dict[str, str] = field(default_factory=dict)
    plan: dict[str, Any] | None = None

    def as_json(self) -> JsonObject:
        return {"variables": dict(self.variables), "plan": self.plan}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Scope":
        return cls(dict(content["variables"]), content["plan"])


class Performer(Protocol):
    """Carries out the commands of an action step."""

    async def perform(
        self, walk: Walk, step_id: str, step: ActionStep, agent: str, scope: Scope
    ) -> dict[str, str]:
        """Answers by name; raises ``StepFailed`` or a ``RespondError``."""
        ...


class Walker:
    """Walks one playbook within one durable run (the whole, or one branch of ``parallel``)."""

    def __init__(
        self, document: Document, performer: Performer, walk: Walk, facts: JsonObject
    ) -> None:
        """``facts`` are handed on to the runs of parallel branches."""
        self._document = document
        self._performer = performer
        self._walk = walk
        self._facts = facts
        self._children = 0

    async def walk_branch(self, entry: str, scope: Scope) -> None:
        """Walk from ``entry`` to the end step of its branch; raises ``Unwound``."""
        step_id: str | None = entry
        while step_id is not None:
            step = self._document.workflow[step_id]
            if isinstance(step, EndStep):
                return
            step_id = await self._walk_step(step_id, step, scope)

    async def _walk_step(self, step_id: str, step: AnyStep, scope: Scope) -> str | None:
        """Take one step and give the id of the next."""
        try:
            if step.delay:
                await self._walk.wait(f"delay:{step_id}", step.delay / 1000)
            await self._take(step_id, step, scope)
        except Unwound as failure:
            if step.on_failure is None:
                raise
            scope.variables["__error__"] = str(failure)
            return step.on_failure
        except (StepFailed, RespondError) as failure:
            kind = failure.kind if isinstance(failure, StepFailed) else type(failure).__name__
            reason = failure.reason if isinstance(failure, StepFailed) else str(failure)
            unwound = Unwound(step.name or step_id, reason, kind == Refused.__name__)
            if step.on_failure is None:
                raise unwound from failure
            scope.variables["__error__"] = str(unwound)
            return step.on_failure
        return step.on_completion or step.on_success

    async def _take(self, step_id: str, step: AnyStep, scope: Scope) -> None:
        if isinstance(step, ActionStep):
            await self._act(step_id, step, scope)
        elif isinstance(step, IfStep):
            entry = step.on_true if _holds(step.condition, step, scope) else step.on_false
            if entry is not None:
                await self.walk_branch(entry, scope)
        elif isinstance(step, WhileStep):
            await self._repeat(step, scope)
        elif isinstance(step, SwitchStep):
            await self._switch(step, scope)
        elif isinstance(step, ParallelStep):
            await self._side_by_side(step, scope)

    async def _act(self, step_id: str, step: ActionStep, scope: Scope) -> None:
        agent = self._document.agent_definitions[step.agent].name
        local = Scope({**_initial(step), **scope.variables}, scope.plan)
        answers = await self._performer.perform(self._walk, step_id, step, agent, local)
        scope.plan = local.plan
        for name in step.out_args:
            answer = answers.get(name.strip("_"))
            if answer is None:
                raise RespondError(f"the step gave no {name}, which out_args asks for")
            scope.variables[name] = answer

    async def _repeat(self, step: WhileStep, scope: Scope) -> None:
        for _ in range(MOST_ROUNDS):
            if not _holds(step.condition, step, scope):
                return
            await self.walk_branch(step.on_true, scope)
        raise RespondError(f"the loop did not end within {MOST_ROUNDS} rounds")

    async def _switch(self, step: SwitchStep, scope: Scope) -> None:
        name = step.switch.removesuffix(":value")
        value = {**_initial(step), **scope.variables}.get(name)
        entry = step.cases.get(value or "", step.cases.get("default"))
        if entry is None:
            raise RespondError(f"no case for {name} = {value!r} and no default")
        await self.walk_branch(entry, scope)

    async def _side_by_side(self, step: ParallelStep, scope: Scope) -> None:
        """Walk every branch as a run of its own; wait for all, then fail if one did."""
        children = []
        for entry in step.next_steps:
            self._children += 1
            run_id = f"{self._walk.run_id}.{self._children}"
            inputs = {**self._facts, "entry": entry, "scope": scope.as_json()}
            children.append(await self._walk.child(BRANCH, run_id, inputs))
        ended = [await child.result() for child in children]
        failures = [end["failure"] for end in ended if end["failure"] is not None]
        if failures:
            raise Unwound(
                failures[0]["where"],
                "; ".join(failure["reason"] for failure in failures),
                all(failure["is_refusal"] for failure in failures),
            )
        _merge(scope, [Scope.from_json(end["scope"]) for end in ended])


async def walk_parallel_branch(walker: Walker, inputs: JsonObject) -> JsonObject:
    """The run of one parallel branch: its scope, or its failure, as JSON."""
    scope = Scope.from_json(inputs["scope"])
    try:
        await walker.walk_branch(inputs["entry"], scope)
    except Unwound as failure:
        told = {
            "where": failure.where,
            "reason": failure.reason,
            "is_refusal": failure.is_refusal,
        }
        return {"failure": told, "scope": scope.as_json()}
    return {"failure": None, "scope": scope.as_json()}


def _merge(scope: Scope, branches: list[Scope]) -> None:
    """Take over what branches changed; two different new values for one variable is a failure."""
    before = dict(scope.variables)
    for branch in branches:
        for name, value in branch.variables.items():
            if value == before.get(name):
                continue
            if scope.variables.get(name) not in (before.get(name), value):
                raise RespondError(
                    f"parallel branches gave {name} two values: "
                    f"{scope.variables[name]!r} and {value!r}"
                )
            scope.variables[name] = value


def _holds(text: str, step: Step, scope: Scope) -> bool:
    condition = read_condition(text)
    try:
        return condition.holds({**_initial(step), **scope.variables})
    except BadCondition as error:
        raise RespondError(f"condition {text!r} can't be decided: {error}") from error


def _initial(step: Step) -> dict[str, str]:
    return {
        name: variable.value
        for name, variable in step.step_variables.items()
        if variable.value is not None
    }


def initial_variables(document: Document, inputs: Mapping[str, str]) -> dict[str, str]:
    """The playbook's variables at the start; raises ``RespondError`` when one was not given."""
    found: dict[str, str] = {}
    for name, variable in document.playbook_variables.items():
        if variable.external and name in inputs:
            found[name] = inputs[name]
        elif variable.value is not None:
            found[name] = variable.value
        elif variable.external:
            known = ", ".join(inputs)
            raise RespondError(f"the playbook needs {name}, but a run is given only {known}")
    return found
