"""What the shape of a playbook can't say: that it can be walked, and that we can walk it."""

from collections.abc import Iterator

from tocsin.respond.cacao import (
    ActionStep,
    AnyStep,
    Command,
    Document,
    IfStep,
    PlaybookActionStep,
    SwitchStep,
    WhileStep,
    moment,
)
from tocsin.respond.command import (
    APPROVAL_EXTENSION,
    ASK_ANSWERS,
    PLATFORM_AGENT,
    USE,
    BadCommand,
    read_approval,
    read_openc2,
    variables_in,
)
from tocsin.respond.condition import BadCondition, read_condition
from tocsin.respond.playbook_graph import Fault, graph_faults

_WORDS = {
    "bash", "caldera-cmd", "elastic", "http-api", "jupyter", "kestrel", "powershell", "sigma",
    "ssh", "yara",
}  # fmt: skip


def faults_of(document: Document) -> list[Fault]:
    """Every fault, in the order of the document."""
    faults = list(_metadata_faults(document))
    faults.extend(graph_faults(document))
    for step_id, step in document.workflow.items():
        where = f"workflow.{step_id}"
        faults.extend(_variable_faults(document, where, step))
        faults.extend(_extension_faults(document, where, step))
        if isinstance(step, ActionStep):
            faults.extend(_action_faults(document, where, step))
        elif isinstance(step, (IfStep, WhileStep)):
            faults.extend(_condition_faults(document, where, step))
        elif isinstance(step, PlaybookActionStep):
            reason = "a playbook as a step can't be walked yet; copy its steps in"
            faults.append(Fault(where, reason, is_valid=True))
    return faults


def _metadata_faults(document: Document) -> Iterator[Fault]:
    if moment(document.modified) < moment(document.created):
        yield Fault("modified", "is earlier than created")
    start, until = document.valid_from, document.valid_until
    if start is not None and until is not None and moment(until) <= moment(start):
        yield Fault("valid_until", "is not later than valid_from")
    if document.revoked:
        yield Fault("revoked", "the author has withdrawn this playbook", is_valid=True)
    if document.signatures:
        yield Fault("signatures", "can't be verified yet, and are not ignored", is_valid=True)
    if document.authentication_info_definitions:
        reason = "secrets do not belong into playbooks; configure the connector instead"
        yield Fault("authentication_info_definitions", reason, is_valid=True)
    for key in document.playbook_extensions:
        yield Fault(f"playbook_extensions.{key}", "is an extension we don't know", is_valid=True)


def _variable_faults(document: Document, where: str, step: AnyStep) -> Iterator[Fault]:
    declared = document.playbook_variables.keys() | step.step_variables.keys()
    used: list[str] = []
    if isinstance(step, (ActionStep, PlaybookActionStep)):
        used.extend(step.in_args)
        used.extend(step.out_args)
        for name in step.out_args:
            variable = step.step_variables.get(name) or document.playbook_variables.get(name)
            if variable is not None and variable.constant:
                yield Fault(f"{where}.out_args", f"{name} is a constant and can't be written")
    if isinstance(step, SwitchStep):
        match = USE.fullmatch(step.switch)
        if match is None:
            yield Fault(f"{where}.switch", f"{step.switch!r} is not a variable (__name__:value)")
        else:
            used.append(match.group(1))
    used.extend(variables_in(step.model_dump(exclude={"condition", "switch"})))
    for name in dict.fromkeys(used):
        if name not in declared:
            yield Fault(where, f"variable {name} is used but declared nowhere")


def _extension_faults(document: Document, where: str, step: AnyStep) -> Iterator[Fault]:
    for key in step.step_extensions:
        place = f"{where}.step_extensions.{key}"
        if key not in document.extension_definitions:
            yield Fault(place, "is not in extension_definitions")
        if key != APPROVAL_EXTENSION:
            yield Fault(place, "is an extension we don't know", is_valid=True)


def _condition_faults(document: Document, where: str, step: IfStep | WhileStep) -> Iterator[Fault]:
    try:
        condition = read_condition(step.condition)
    except BadCondition as error:
        yield Fault(f"{where}.condition", str(error), is_valid=True)
        return
    declared = document.playbook_variables.keys() | step.step_variables.keys()
    for name in condition.variables:
        if name not in declared:
            yield Fault(f"{where}.condition", f"variable {name} is declared nowhere")


def _action_faults(document: Document, where: str, step: ActionStep) -> Iterator[Fault]:
    agent = document.agent_definitions.get(step.agent)
    if agent is None:
        yield Fault(f"{where}.agent", f"{step.agent} is not in agent_definitions")
        return
    for target in step.targets:
        if target not in document.target_definitions:
            yield Fault(f"{where}.targets", f"{target} is not in target_definitions")
    answers: list[str] = []
    for number, command in enumerate(step.commands):
        place = f"{where}.commands.{number}"
        try:
            answers.extend(_answers_of(step, command, agent.name))
        except BadCommand as error:
            yield Fault(place, str(error), is_valid=True)
            return
        yield from _undeclared(document, step, place, command)
    for name in step.out_args:
        if name.strip("_") not in answers:
            known = ", ".join(f"__{answer}__" for answer in answers)
            yield Fault(f"{where}.out_args", f"{name} is none of the answers: {known}")


def _undeclared(
    document: Document, step: ActionStep, place: str, command: Command
) -> Iterator[Fault]:
    if command.type != "openc2-http" or command.content_b64 is None:
        return
    declared = document.playbook_variables.keys() | step.step_variables.keys()
    for name in variables_in(read_openc2(command.content_b64).model_dump()):
        if name not in declared:
            yield Fault(f"{place}.content_b64", f"variable {name} is declared nowhere")


def _answers_of(step: ActionStep, command: Command, agent: str) -> tuple[str, ...]:
    """What a command gives back; raises ``BadCommand`` when we can't carry it out."""
    if command.type == "manual":
        extension = step.step_extensions.get(APPROVAL_EXTENSION)
        if extension is None:
            raise BadCommand(
                f"a manual command needs the approval extension ({APPROVAL_EXTENSION})"
            )
        if read_approval(extension).deadline_s is not None and step.timeout is not None:
            raise BadCommand("deadline_s and timeout contradict each other; keep one")
        if not command.command:
            raise BadCommand("a manual command needs command: the question in words")
        return ASK_ANSWERS
    if command.type == "openc2-http":
        if command.content_b64 is None or not command.command:
            raise BadCommand("an openc2-http command needs command and content_b64")
        openc2 = read_openc2(command.content_b64)
        if (openc2.action == "deny") == (agent == PLATFORM_AGENT):
            raise BadCommand(
                f"{openc2.action} is not for agent {agent!r}: deny goes to an action, "
                f"all else to {PLATFORM_AGENT!r}"
            )
        return openc2.answers
    if command.type in _WORDS:
        raise BadCommand(f"{command.type} commands can't be carried out here")
    raise BadCommand(f"{command.type!r} is not a CACAO 2.0 command type")
