"""The OpenC2 1.0 commands a playbook may give, and the approvals it may ask for.

Written as ``openc2-http`` (``content_b64``) or ``manual`` commands of a CACAO action step. An
argument we don't know is refused, as OpenC2 asks (status 501), never ignored.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tocsin.respond.errors import RespondError
from tocsin.respond.target import NETWORK_KINDS

APPROVAL_EXTENSION = "extension-definition--5a3e2f4c-6d0b-4c57-9a1e-2f7d8c6b4a10"
"""Key of our step extension: ``{"kind": "approval", "deadline_s": 3600}``."""

PLATFORM_AGENT = "tocsin"
LEASE_TARGET = "x-tocsin:lease"
USE = re.compile(r"(__[A-Za-z][A-Za-z0-9_-]*__):value")

# What each kind of command gives back to ``out_args`` (``__name__`` takes ``name``).
LOCATE_ANSWERS = ("asset", "services", "owner", "users")
PLAN_ANSWERS = ("decision", "asked_of", "digest", "summary")
ASK_ANSWERS = ("approval", "approved_by")
DENY_ANSWERS = ("lease", "expires_at", "expires_ms")
LEASE_ANSWERS = ("status", "why")

Whole = Annotated[int | str, Field(union_mode="left_to_right")]


class BadCommand(RespondError):
    """A command that can't be read or that we can't carry out."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Firewall(_Strict):
    """SLPF arguments. Both directions, silently dropped, not persistent: what our leases are."""

    direction: Literal["both"] = "both"
    drop_process: Literal["none"] = "none"
    persistent: Literal[False] = False


class OwnArguments(_Strict):
    """``x-tocsin`` arguments: ``plan_only`` asks the gate and writes nothing."""

    plan_only: bool = False


class Arguments(_Strict):
    """OpenC2 arguments; ``duration`` and ``start_time`` in milliseconds (or a variable)."""

    duration: Whole | None = None
    start_time: Whole | None = None
    response_requested: Literal["complete", "status"] = "complete"
    slpf: Firewall = Firewall()
    own: OwnArguments = Field(OwnArguments(), alias="x-tocsin")


class OpenC2(_Strict):
    """One OpenC2 command with a single target."""

    action: Literal["deny", "locate", "query", "delete"]
    target: dict[str, str]
    args: Arguments = Arguments()

    @model_validator(mode="after")
    def _fits(self) -> "OpenC2":
        if len(self.target) != 1:
            raise ValueError(f"an OpenC2 command has one target, this one has {len(self.target)}")
        wanted = NETWORK_KINDS if self.action in ("deny", "locate") else (LEASE_TARGET,)
        if self.target_kind not in wanted:
            raise ValueError(f"{self.action} takes a target of {' or '.join(wanted)}")
        if self.action == "deny" and self.args.duration is None:
            raise ValueError("deny needs args.duration: every containment is a lease")
        if self.args.own.plan_only and self.action != "deny":
            raise ValueError("plan_only belongs to deny")
        if self.args.start_time is not None and self.action != "delete":
            raise ValueError("start_time belongs to delete: it waits for the lease to end")
        return self

    @property
    def target_kind(self) -> str:
        return next(iter(self.target))

    @property
    def target_text(self) -> str:
        return next(iter(self.target.values()))

    @property
    def writes(self) -> bool:
        return self.action == "deny" and not self.args.own.plan_only

    @property
    def answers(self) -> tuple[str, ...]:
        """The names this command gives back."""
        if self.action == "deny":
            return PLAN_ANSWERS if self.args.own.plan_only else DENY_ANSWERS
        return LOCATE_ANSWERS if self.action == "locate" else LEASE_ANSWERS


class Approval(_Strict):
    """Our step extension on a ``manual`` command; no deadline means the platform's."""

    kind: Literal["approval"]
    deadline_s: int | None = Field(None, ge=1, le=30 * 86400)


def read_openc2(content_b64: str) -> OpenC2:
    """Decode and check a command whose values may still be variables."""
    try:
        content = json.loads(base64.b64decode(content_b64, validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise BadCommand(f"content_b64 is not base64 of a JSON object: {error}") from error
    return parse_openc2(content)


def parse_openc2(content: object) -> OpenC2:
    try:
        return OpenC2.model_validate(content)
    except ValidationError as error:
        raise BadCommand(f"OpenC2 command: {first_fault(error)}") from error


def read_approval(content: Mapping[str, Any]) -> Approval:
    try:
        return Approval.model_validate(content)
    except ValidationError as error:
        raise BadCommand(f"approval extension: {first_fault(error)}") from error


def variables_in(value: object) -> list[str]:
    """Names of the variables used anywhere inside ``value`` (as ``__name__:value``)."""
    if isinstance(value, str):
        return USE.findall(value)
    if isinstance(value, Mapping):
        return [name for inner in value.values() for name in variables_in(inner)]
    if isinstance(value, (list, tuple)):
        return [name for inner in value for name in variables_in(inner)]
    return []


def filled(value: Any, variables: Mapping[str, str]) -> Any:
    """``value`` with variables replaced inside each text; the structure can't be changed by them."""
    if isinstance(value, str):
        return USE.sub(lambda use: _known(use.group(1), variables), value)
    if isinstance(value, Mapping):
        return {name: filled(inner, variables) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, variables) for inner in value]
    return value


def _known(name: str, variables: Mapping[str, str]) -> str:
    if name not in variables:
        raise BadCommand(f"variable {name} is used before it has a value")
    return variables[name]


def whole(value: int | str | None, what: str) -> int:
    """A whole number that may have come as text out of a variable."""
    try:
        return int(value)  # type: ignore[arg-type]  # None raises TypeError, caught below
    except (TypeError, ValueError) as error:
        raise BadCommand(f"{what} must be a whole number, got {value!r}") from error


def first_fault(error: ValidationError) -> str:
    """The first fault of a pydantic error as ``place: reason``."""
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else fault["msg"]
