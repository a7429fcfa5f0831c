"""Checks the graph of a playbook: one start, every branch ends by itself, nothing left over."""

from collections.abc import Iterator
from dataclasses import dataclass

from tocsin.respond.cacao import (
    AnyStep,
    Document,
    EndStep,
    IfStep,
    ParallelStep,
    StartStep,
    SwitchStep,
    WhileStep,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason against a playbook; ``is_valid`` when CACAO allows it but we can't do it."""

    where: str
    reason: str
    is_valid: bool = False


def branches(step: AnyStep) -> list[tuple[str, str]]:
    """The branches a step opens, as (property, step id)."""
    if isinstance(step, ParallelStep):
        return [(f"next_steps.{at}", step_id) for at, step_id in enumerate(step.next_steps)]
    if isinstance(step, IfStep):
        found = [("on_true", step.on_true)]
        return found if step.on_false is None else [*found, ("on_false", step.on_false)]
    if isinstance(step, WhileStep):
        return [("on_true", step.on_true)]
    if isinstance(step, SwitchStep):
        return [(f"cases.{case}", step_id) for case, step_id in step.cases.items()]
    return []


def successors(step: AnyStep) -> list[tuple[str, str]]:
    """What may come after a step in its own branch, as (property, step id)."""
    names = ("on_completion", "on_success", "on_failure")
    return [(name, value) for name in names if (value := getattr(step, name)) is not None]


def graph_faults(document: Document) -> list[Fault]:
    """Every fault of the graph; further looks wait until ids and successors are right."""
    faults = [fault for name, step in document.workflow.items() for fault in _own(name, step)]
    faults.extend(_dangling(document))
    faults.extend(_starts(document))
    if faults:
        return faults
    circle = _circle(document)
    if circle:
        return [Fault(f"workflow.{circle}", "is reached again from itself; use while-condition")]
    return list(_shared_and_unreached(document))


def _own(name: str, step: AnyStep) -> Iterator[Fault]:
    where = f"workflow.{name}"
    if name.rpartition("--")[0] != step.type:
        yield Fault(where, f"the id must begin with {step.type}--")
    if isinstance(step, EndStep):
        if successors(step):
            yield Fault(where, "an end step has nothing after it")
        return
    if step.on_completion is not None and (step.on_success or step.on_failure):
        yield Fault(
            where, "has on_completion and on_success or on_failure; only one kind is allowed"
        )
    if step.on_completion is None and step.on_success is None:
        yield Fault(where, "has no on_completion and no on_success, so the walk would just stop")
    if isinstance(step, StartStep) and (step.on_success or step.on_failure):
        yield Fault(where, "a start step goes on by on_completion alone")


def _dangling(document: Document) -> Iterator[Fault]:
    if document.workflow_exception is not None and (
        document.workflow_exception not in document.workflow
    ):
        yield Fault("workflow_exception", f"{document.workflow_exception} is not in the workflow")
    for name, step in document.workflow.items():
        for place, target in [*successors(step), *branches(step)]:
            if target not in document.workflow:
                yield Fault(f"workflow.{name}.{place}", f"{target} is not in the workflow")
            elif isinstance(document.workflow[target], StartStep):
                yield Fault(f"workflow.{name}.{place}", "leads back to the start")


def _starts(document: Document) -> Iterator[Fault]:
    starts = [name for name, step in document.workflow.items() if isinstance(step, StartStep)]
    if len(starts) != 1:
        yield Fault("workflow", f"needs exactly one start step, has {len(starts)}")
    if document.workflow_start not in starts:
        yield Fault("workflow_start", f"{document.workflow_start} is not a start step here")


def _circle(document: Document) -> str:
    """A step that can be reached from itself, or empty (depth-first, without recursion)."""
    done: set[str] = set()
    for root in document.workflow:
        path: dict[str, Iterator[str]] = {}
        if root not in done:
            path[root] = _next_of(document, root)
        while path:
            here = next(reversed(path))
            step_id = next(path[here], None)
            if step_id is None:
                done.add(here)
                del path[here]
            elif step_id in path:
                return step_id
            elif step_id not in done:
                path[step_id] = _next_of(document, step_id)
    return ""


def _next_of(document: Document, name: str) -> Iterator[str]:
    step = document.workflow[name]
    return iter([target for _, target in [*successors(step), *branches(step)]])


def _shared_and_unreached(document: Document) -> Iterator[Fault]:
    """Each branch has steps and an end of its own (CACAO 2.0 §4.7), and all steps are reached."""
    owner: dict[str, str] = {}
    entries = [("the playbook", document.workflow_start)]
    if document.workflow_exception is not None:  # never walked at the same time as the playbook
        entries.append(("the playbook", document.workflow_exception))
    while entries:
        branch, entry = entries.pop(0)
        waiting = [entry]
        while waiting:
            name = waiting.pop()
            if name in owner:
                if owner[name] != branch:
                    reason = f"is walked by {owner[name]} and by {branch}; each needs its own steps"
                    yield Fault(f"workflow.{name}", reason)
                continue
            owner[name] = branch
            step = document.workflow[name]
            waiting.extend(target for _, target in successors(step))
            entries.extend((f"{name}.{place}", target) for place, target in branches(step))
    for name in document.workflow:
        if name not in owner:
            yield Fault(f"workflow.{name}", "is never reached")
