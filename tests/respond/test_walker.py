"""The walk itself: order, branches, loops, and failures that unwind instead of vanishing."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.respond.playbook_text import END, START, end, locate, playbook, start, step_id
from tocsin.respond.cacao import ActionStep
from tocsin.respond.errors import Refused, RespondError
from tocsin.respond.playbook import Playbook, read_playbook
from tocsin.respond.walker import (
    BRANCH,
    MOST_ROUNDS,
    Scope,
    Unwound,
    Walker,
    initial_variables,
    walk_parallel_branch,
)
from tocsin.store.durable import ChildRun, JsonObject, StepFailed, Walk

A, B, C = step_id("action", 31), step_id("action", 32), step_id("action", 33)
BOX = step_id("if-condition", 34)
END_B, END_C = step_id("end", 35), step_id("end", 36)
PARALLEL, SWITCH, LOOP = (
    step_id("parallel", 37),
    step_id("switch-condition", 38),
    step_id("while-condition", 39),
)
ADDRESS = {"__address__": "203.0.113.7"}


class Told:
    """A performer that follows a script and keeps what it was asked, in order."""

    def __init__(self, **script: Callable[[dict[str, str]], dict[str, str]]) -> None:
        self.script = script
        self.names: list[str] = []

    async def perform(
        self, walk: Walk, step_id: str, step: ActionStep, agent: str, scope: Scope
    ) -> dict[str, str]:
        self.names.append(step.name)
        answer = self.script.get(step.name, lambda _: {})
        return answer(scope.variables)


class Memory:
    """A walk that keeps nothing but what was waited for."""

    def __init__(self, walker_on: Callable[[Walk], Walker]) -> None:
        self.run_id = "run"
        self.waits: list[tuple[str, float]] = []
        self._walker_on = walker_on

    async def step(
        self, name: str, call: Callable[[str], JsonObject], timeout_s: float | None = None
    ) -> JsonObject:
        return call(name)

    async def wait(self, topic: str, timeout_s: float) -> JsonObject | None:
        self.waits.append((topic, timeout_s))
        return None

    async def child(self, workflow: str, run_id: str, inputs: JsonObject) -> ChildRun:
        assert workflow == BRANCH
        ending = await walk_parallel_branch(self._walker_on(self), json.loads(json.dumps(inputs)))

        class Ended:
            async def result(self) -> JsonObject:
                return ending

        return Ended()


def walked(workflow: dict[str, Any], told: Told, **more: Any) -> tuple[Scope, Memory]:
    loaded = read_playbook(json.dumps(playbook(workflow, **more)))
    assert isinstance(loaded, Playbook), loaded
    memory = Memory(lambda walk: Walker(loaded.document, told, walk, {}))
    scope = Scope(initial_variables(loaded.document, ADDRESS))
    asyncio.run(
        Walker(loaded.document, told, memory, {}).walk_branch(loaded.document.workflow_start, scope)
    )
    return scope, memory


def failing(reason: str) -> Callable[[dict[str, str]], dict[str, str]]:
    def fail(_: dict[str, str]) -> dict[str, str]:
        raise StepFailed("x", "ActionFailed", reason)

    return fail


def test_steps_are_taken_in_order_and_answers_are_kept() -> None:
    workflow = {
        START: start(A),
        A: locate("first", B, out_args=["__asset__"], delay=1500),
        B: locate("second", END),
        END: end(),
    }
    told = Told(first=lambda _: {"asset": "nh-web01", "owner": "x"})
    scope, memory = walked(workflow, told)
    assert told.names == ["first", "second"]
    assert scope.variables["__asset__"] == "nh-web01"
    assert memory.waits == [(f"delay:{A}", 1.5)]


def test_an_answer_that_is_asked_for_and_not_given_is_a_failure() -> None:
    workflow = {START: start(A), A: locate("a", END, out_args=["__asset__"]), END: end()}
    with pytest.raises(Unwound, match="gave no __asset__"):
        walked(workflow, Told())


def test_on_failure_catches_and_is_told_the_error() -> None:
    workflow = {
        START: start(A),
        A: locate("a", on_success=END, on_failure=B),
        B: locate("b", END),
        END: end(),
    }
    told = Told(a=failing("boom"))
    scope, _ = walked(workflow, told)
    assert told.names == ["a", "b"]
    assert scope.variables["__error__"] == "a: boom"


def test_a_failure_nobody_catches_unwinds_with_its_place() -> None:
    workflow = {START: start(A), A: locate("a", B), B: locate("b", END), END: end()}
    told = Told(a=failing("boom"))
    with pytest.raises(Unwound, match="a: boom") as caught:
        walked(workflow, told)
    assert told.names == ["a"]
    assert not caught.value.is_refusal


def test_a_refusal_stays_a_refusal_on_its_way_up() -> None:
    def refuse(_: dict[str, str]) -> dict[str, str]:
        raise Refused("the gate said no")

    workflow = parallel(B, C)
    with pytest.raises(Unwound) as caught:
        walked(workflow, Told(b=refuse))
    assert caught.value.is_refusal
    with pytest.raises(Unwound) as caught:
        walked(workflow, Told(b=refuse, c=failing("boom")))
    assert not caught.value.is_refusal


def parallel(*branches: str, **more: Any) -> dict[str, Any]:
    ends = {B: END_B, C: END_C}
    names = {B: "b", C: "c"}
    box = {"type": "parallel", "name": "both", "next_steps": list(branches)}
    after = {} if "on_success" in more else {"on_completion": A}
    return {
        START: start(PARALLEL),
        PARALLEL: {**box, **after, **more},
        **{
            branch: locate(
                names[branch], ends[branch], out_args=["__asset__"] if more.get("out") else []
            )
            for branch in branches
        },
        **{ends[branch]: end() for branch in branches},
        A: locate("after", END),
        END: end(),
    }


def test_a_failing_branch_fails_the_parallel_step_after_all_have_ended() -> None:
    told = Told(b=failing("no answer from fw-2"))
    with pytest.raises(Unwound, match="no answer from fw-2"):
        walked(parallel(B, C), told)
    assert told.names == ["b", "c"]  # and never "after"


def test_a_parallel_step_may_catch_what_its_branches_did_not() -> None:
    workflow = parallel(B, C, on_success=A, on_failure=END)
    told = Told(c=failing("boom"))
    walked(workflow, told)
    assert told.names == ["b", "c"]


def test_branches_bring_their_answers_back_and_may_not_disagree() -> None:
    workflow = parallel(B, C)
    workflow[B]["out_args"] = workflow[C]["out_args"] = ["__asset__"]
    same = Told(b=lambda _: {"asset": "one"}, c=lambda _: {"asset": "one"})
    scope, _ = walked(workflow, same)
    assert scope.variables["__asset__"] == "one"
    differing = Told(b=lambda _: {"asset": "one"}, c=lambda _: {"asset": "two"})
    with pytest.raises(Unwound, match="two values: 'one' and 'two'"):
        walked(workflow, differing)


@pytest.mark.parametrize(("asset", "names"), [("x", ["yes", "after"]), ("y", ["after"])])
def test_an_if_takes_its_branch_or_none_and_goes_on(asset: str, names: list[str]) -> None:
    workflow = {
        START: start(BOX),
        BOX: {
            "type": "if-condition",
            "condition": "__asset__:value = 'x'",
            "on_true": B,
            "on_completion": A,
        },
        B: locate("yes", END_B),
        END_B: end(),
        A: locate("after", END),
        END: end(),
    }
    told = Told()
    walked(
        workflow,
        told,
        playbook_variables={
            "__address__": {"type": "ipv4-addr", "external": True},
            "__asset__": {"type": "string", "value": asset},
        },
    )
    assert told.names == names


def test_a_switch_takes_its_case_or_the_default_or_fails() -> None:
    def workflow(**cases: str) -> dict[str, Any]:
        steps = {B: locate("b", END_B), END_B: end(), C: locate("c", END_C), END_C: end()}
        used = set(cases.values())
        return {
            START: start(SWITCH),
            SWITCH: {
                "type": "switch-condition",
                "switch": "__users__:value",
                "cases": cases,
                "on_completion": END,
            },
            **({B: steps[B], END_B: steps[END_B]} if B in used else {}),
            **({C: steps[C], END_C: steps[END_C]} if C in used else {}),
            END: end(),
        }

    told = Told()
    walked(workflow(**{"0": B, "default": C}), told)
    walked(workflow(**{"1": B, "default": C}), told)
    assert told.names == ["b", "c"]
    with pytest.raises(Unwound, match="no case for __users__ = '0'"):
        walked(workflow(**{"1": B}), Told())


def loop() -> dict[str, Any]:
    return {
        START: start(LOOP),
        LOOP: {
            "type": "while-condition",
            "condition": "__users__:value < 3",
            "on_true": B,
            "on_completion": END,
        },
        B: locate("again", END_B, out_args=["__users__"]),
        END_B: end(),
        END: end(),
    }


def test_a_loop_ends_when_its_condition_does_or_at_its_limit() -> None:
    told = Told(again=lambda variables: {"users": str(int(variables["__users__"]) + 1)})
    scope, _ = walked(loop(), told)
    assert scope.variables["__users__"] == "3"
    endless = Told(again=lambda _: {"users": "0"})
    with pytest.raises(Unwound, match=f"within {MOST_ROUNDS} rounds"):
        walked(loop(), endless)
    assert len(endless.names) == MOST_ROUNDS


def test_a_condition_that_can_not_be_decided_is_a_failure() -> None:
    told = Told(again=lambda _: {"users": "many"})
    with pytest.raises(Unwound, match="can't be decided"):
        walked(loop(), told)


def test_a_playbook_is_not_started_without_what_it_needs() -> None:
    loaded = read_playbook(json.dumps(playbook()))
    assert isinstance(loaded, Playbook)
    with pytest.raises(RespondError, match="needs __address__"):
        initial_variables(loaded.document, {"__lease_ms__": "1"})
