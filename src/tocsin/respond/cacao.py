"""The shape of a CACAO 2.0 playbook (OASIS CS01, 2023-11-27) as strict models.

The published JSON schemas can't be used to check with: as draft-07 they ignore
``unevaluatedProperties``, as 2020-12 every valid playbook fails. A property that is not in the
specification is an error here.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_IDENTIFIER = re.compile(
    r"[a-z][a-z0-9-]+[a-z0-9]--[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-fA-F]{3}"
    r"-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_VARIABLE = re.compile(r"__[A-Za-z][A-Za-z0-9_-]*__")


def _identifier(text: str) -> str:
    if not _IDENTIFIER.fullmatch(text):
        raise ValueError(f"{text!r} is not an identifier (type--UUID, CACAO 2.0 §10.10)")
    return text


def _time(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise ValueError(f"{text!r} is not a time (yyyy-mm-ddThh:mm:ss.sssZ, CACAO 2.0 §10.15)")
    datetime.fromisoformat(text)
    return text


def _to_the_millisecond(text: str) -> str:
    if not re.fullmatch(r".*\.\d{3}Z", text):
        raise ValueError(f"{text!r} must have exactly three decimals (CACAO 2.0 §3.1)")
    return text


def _variable_name(text: str) -> str:
    if not _VARIABLE.fullmatch(text) or len(text) > 250:
        raise ValueError(f"{text!r} is not a variable name (__name__, CACAO 2.0 §10.18)")
    return text


Identifier = Annotated[str, AfterValidator(_identifier)]
Time = Annotated[str, AfterValidator(_time)]
Milliseconds = Annotated[str, AfterValidator(_time), AfterValidator(_to_the_millisecond)]
VariableName = Annotated[str, AfterValidator(_variable_name)]
Percent = Annotated[int, Field(ge=0, le=100)]


def moment(text: str) -> datetime:
    """A CACAO time as aware UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Variable(_Strict):
    """A variable; its value is always text (numbers and booleans are written as text)."""

    type: str
    description: str = ""
    value: str | None = None
    constant: bool = False
    external: bool = False


class Command(_Strict):
    """One command of an action step, of any type; which properties fit is checked by type."""

    type: str
    description: str = ""
    version: str = ""
    playbook_activity: str = ""
    external_references: list[dict[str, Any]] = []
    command: str | None = None
    command_b64: str | None = None
    content: str | None = None
    content_b64: str | None = None
    headers: dict[str, list[str]] = {}


class AgentTarget(BaseModel):
    """An agent or target; only its type and name matter here, so the rest is let through."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str
    name: str
    agent_target_extensions: dict[Identifier, dict[str, Any]] = {}


class ExtensionDefinition(_Strict):
    """What an extension is and who defined it."""

    type: Literal["extension-definition"]
    name: str
    description: str = ""
    created_by: Identifier
    schema_: str = Field(alias="schema")
    version: str
    external_references: list[dict[str, Any]] = []


class Step(_Strict):
    """What all steps have (CACAO 2.0 §4.1); times in milliseconds."""

    name: str = ""
    description: str = ""
    external_references: list[dict[str, Any]] = []
    delay: int = Field(0, ge=0)
    timeout: int | None = Field(None, ge=1)
    step_variables: dict[VariableName, Variable] = {}
    owner: Identifier | None = None
    on_completion: Identifier | None = None
    on_success: Identifier | None = None
    on_failure: Identifier | None = None
    step_extensions: dict[Identifier, dict[str, Any]] = {}


class StartStep(Step):
    """Where the playbook begins."""

    type: Literal["start"]


class EndStep(Step):
    """Where a branch, or the playbook, is over."""

    type: Literal["end"]


class ActionStep(Step):
    """Commands for one agent, in order."""

    type: Literal["action"]
    commands: list[Command] = Field(min_length=1)
    agent: Identifier
    targets: list[Identifier] = []
    in_args: list[VariableName] = []
    out_args: list[VariableName] = []


class PlaybookActionStep(Step):
    """Another playbook as a step."""

    type: Literal["playbook-action"]
    playbook_id: Identifier
    playbook_version: Time | None = None
    in_args: list[VariableName] = []
    out_args: list[VariableName] = []


class ParallelStep(Step):
    """Branches walked side by side; all must end before the step does."""

    type: Literal["parallel"]
    next_steps: list[Identifier] = Field(min_length=2)


class IfStep(Step):
    """One of two branches."""

    type: Literal["if-condition"]
    condition: str
    on_true: Identifier
    on_false: Identifier | None = None


class WhileStep(Step):
    """A branch walked again as long as the condition holds."""

    type: Literal["while-condition"]
    condition: str
    on_true: Identifier


class SwitchStep(Step):
    """The branch named by a variable's value, or ``default``."""

    type: Literal["switch-condition"]
    switch: str
    cases: dict[str, Identifier] = Field(min_length=1)


AnyStep = Annotated[
    StartStep
    | EndStep
    | ActionStep
    | PlaybookActionStep
    | ParallelStep
    | IfStep
    | WhileStep
    | SwitchStep,
    Field(discriminator="type"),
]


class Document(_Strict):
    """A playbook as written (CACAO 2.0 §3.1)."""

    type: Literal["playbook"]
    spec_version: Literal["cacao-2.0"]
    id: Identifier
    name: str
    description: str = ""
    playbook_types: list[str] = []
    playbook_activities: list[str] = []
    playbook_processing_summary: dict[str, bool] = {}
    created_by: Identifier
    created: Milliseconds
    modified: Milliseconds
    revoked: bool = False
    valid_from: Time | None = None
    valid_until: Time | None = None
    derived_from: list[Identifier] = []
    related_to: list[Identifier] = []
    priority: Percent = 0
    severity: Percent = 0
    impact: Percent = 0
    industry_sectors: list[str] = []
    labels: list[str] = []
    external_references: list[dict[str, Any]] = []
    markings: list[Identifier] = []
    playbook_variables: dict[VariableName, Variable] = {}
    workflow_start: Identifier
    workflow_exception: Identifier | None = None
    workflow: dict[Identifier, AnyStep] = Field(min_length=1)
    playbook_extensions: dict[Identifier, dict[str, Any]] = {}
    authentication_info_definitions: dict[Identifier, dict[str, Any]] = {}
    agent_definitions: dict[Identifier, AgentTarget] = {}
    target_definitions: dict[Identifier, AgentTarget] = {}
    extension_definitions: dict[Identifier, ExtensionDefinition] = {}
    data_marking_definitions: dict[Identifier, dict[str, Any]] = {}
    signatures: list[dict[str, Any]] = []
