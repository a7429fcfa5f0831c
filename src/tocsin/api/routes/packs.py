"""Rule packs: what is installed, and installing, updating, rolling back and removing them."""

import base64
import binascii
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from tocsin.api.guard import House, needs
from tocsin.api.problem import Problem
from tocsin.app.backtests.history_jobs import TooManyJobs
from tocsin.app.home.pack_content import PackRefused, UnknownPack
from tocsin.app.home.pack_shelf import name_from
from tocsin.app.packs.pack_desk import PackPlan, key_to_ask
from tocsin.app.packs.pack_install import PackSource, Proof, read_pack
from tocsin.app.packs.pack_plan_json import plan_json
from tocsin.app.packs.pack_signature import key_itself
from tocsin.app.packs.pack_uploads import ORIGIN, PackUploads
from tocsin.app.plain import as_json
from tocsin.app.rule_jobs import start_replay
from tocsin.app.wiring import Tocsin
from tocsin.detect.rules.overlay import LifeState
from tocsin.model.principal import Permission, Principal

router = APIRouter(prefix="/api/v1", tags=["packs"])
_reads = Depends(needs(Permission.RULES_READ))
Engineer = Annotated[Principal, Depends(needs(Permission.RULES_WRITE))]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class GivenPack(_Body):
    """Where a pack is read from, and what its archive must prove."""

    origin: str = Field("", max_length=2000, description="https address, or upload:… of an upload.")
    sha256: str = Field("", max_length=64, description="SHA-256 the archive must have.")
    key: str = Field("", max_length=10_000, description="Public key: minisign's, or Ed25519 PEM.")
    signature: str = Field(
        "",
        max_length=30_000,
        description="https address of the signature, or the signature in Base64.",
    )
    folders: list[str] = Field(
        default_factory=list,
        max_length=50,
        description="Only these folders of it. An update takes those of before by default.",
    )


class NewPack(GivenPack):
    """A pack to install."""

    name: str = Field("", max_length=64, description="Empty: made of the origin.")
    state: LifeState = Field(LifeState.ACTIVE, description="In which state its rules begin.")


class PreviewedPack(GivenPack):
    """An update to look at, and on how much history to try what it changes."""

    replay_days: float = Field(0.0, ge=0, le=366, description="0: try nothing on stored events.")
    replay_seconds: float = Field(120.0, ge=1, le=3600, description="No longer than that.")


class PackUpdate(GivenPack):
    """An update that was looked at: ``seen`` is the ``digest`` the preview told."""

    seen: str = Field(min_length=64, max_length=64)
    force: bool = Field(False, description="Even when most rules go, or the pack is pinned.")


class Rollback(_Body):
    """Without ``seen`` it is only shown; with the digest that was shown it is carried out."""

    seen: str = Field("", max_length=64)


class Pinned(_Body):
    """Whether a pack is held at its version."""

    pinned: bool


@router.get("/packs", dependencies=[_reads], summary="List packs")
def packs(house: House) -> dict[str, Any]:
    """Each pack's version, origin, licence files, counts, who signed it, and ``earlier`` versions.

    A pack whose manifest is damaged has ``trouble`` instead.
    """
    return {"packs": [_shown(house, name) for name in house.packs.shelf.names()]}


@router.post("/pack-uploads", status_code=201, summary="Send an archive")
async def upload(house: House, request: Request, _: Engineer, filename: str = "") -> dict[str, Any]:
    """Keep an archive (the body's bytes) for a day; ``origin`` is to be given to the other calls."""
    with _refusals():
        digest = await PackUploads(house.settings.home).take(request.stream())
    return {"origin": f"{ORIGIN}{digest}", "sha256": digest, "name": name_from(filename or "pack")}


@router.post("/packs", status_code=201, summary="Install a pack")
def add(house: House, body: NewPack, by: Engineer) -> dict[str, Any]:
    """Every document is accounted for. Its rules are in force when this answers."""
    name = body.name or name_from(body.origin)
    if name in house.packs.shelf.names():
        raise Problem(409, "There is such a pack", f"{name} is installed: update it")
    now = datetime.now(UTC)
    with _refusals():
        source = _read(house, body)
        plan = house.packs.plan(name, source, state=body.state, by=by.name, now=now)
        if not plan.account.rules:
            house.packs.give_up(plan)
            told = [f"{one.path}:{one.line}: {one.reason}" for one in plan.account.refused[:5]]
            detail = f"no rule of {body.origin} can be used; {'; '.join(told)}"
            raise Problem(422, "The pack is refused", detail)
        return _carried_out(house, plan, "add", by, now)


@router.post("/packs/{name}/preview", summary="What an update would change")
def preview(house: House, name: str, body: PreviewedPack, by: Engineer) -> dict[str, Any]:
    """Nothing changes. ``asks`` are the reasons to think about it; ``pack.digest`` confirms it.

    Without an origin the pack is read from where it came from. With ``replay_days`` a job tries the
    changed rules, old and new, on stored events: ``replay_job``, asked for at ``/rule-jobs``.
    """
    with _refusals():
        plan = _planned(house, name, body, by)
        house.packs.give_up(plan)
    shown = plan_json(plan, installed=False)
    if not body.replay_days:
        return {**shown, "replay_job": None}
    try:
        job = start_replay(
            house, plan, days=body.replay_days, seconds=body.replay_seconds, by=by.name
        )
    except TooManyJobs as error:
        raise Problem(429, "Too many jobs", str(error)) from None
    return {**shown, "replay_job": job.as_json(with_result=False)}


@router.post("/packs/{name}/update", summary="Update a pack")
def update(house: House, name: str, body: PackUpdate, by: Engineer) -> dict[str, Any]:
    """Put the version that was previewed in force; 409 when what is there now is another one."""
    with _refusals():
        if house.packs.shelf.current(name).pinned and not body.force:
            raise Problem(409, "The pack is pinned", f"{name} is held at its version: unpin it")
        plan = _planned(house, name, body, by)
        change = plan.change
        refused = ""
        if plan.manifest.digest != body.seen:
            refused = "what is there now is not what was previewed: look at the preview again"
        elif change is not None and change.takes_most_away and not body.force:
            gone = len(change.removed) + len(change.unusable)
            refused = (
                f"it takes away {gone:,} of {change.before:,} rules: force does it all the same"
            )
        if refused:
            house.packs.give_up(plan)
            raise Problem(409, "The update is refused", refused, digest=plan.manifest.digest)
        return _carried_out(house, plan, "update", by, datetime.now(UTC))


@router.post("/packs/{name}/rollback", summary="Go back to the version before")
def rollback(house: House, name: str, body: Rollback, by: Engineer) -> dict[str, Any]:
    """Shows what going back changes; with ``seen``, the digest that was shown, does it."""
    now = datetime.now(UTC)
    with _refusals():
        plan = house.packs.plan_rollback(name, by=by.name, now=now)
        if not body.seen:
            return plan_json(plan, installed=False)
        if plan.manifest.digest != body.seen:
            detail = "the version before is not the one that was shown: look again"
            raise Problem(409, "The rollback is refused", detail, digest=plan.manifest.digest)
        return _carried_out(house, plan, "rollback", by, now)


@router.post("/packs/{name}/pin", summary="Hold a pack at its version")
def pin(house: House, name: str, body: Pinned, by: Engineer) -> dict[str, Any]:
    """A pinned pack is not updated."""
    with _refusals():
        manifest = house.packs.pin(name, body.pinned, by=by.name, now=datetime.now(UTC))
    return {"pack": as_json(manifest)}


@router.delete("/packs/{name}", summary="Remove a pack")
def remove(house: House, name: str, by: Engineer) -> dict[str, Any]:
    """Its rules stop at once; what was decided on them is kept for when they come back."""
    now = datetime.now(UTC)
    with _refusals():
        manifest = house.packs.remove(name, by=by.name, now=now)
    house.rule_keeper.reload(by.name, now)
    return {"pack": as_json(manifest)}


def _shown(house: Tocsin, name: str) -> dict[str, Any]:
    try:
        shown = dict(as_json(house.packs.shelf.current(name)))
        earlier = house.packs.shelf.earlier(name)
        return {**shown, "trouble": "", "earlier": as_json(earlier)}
    except PackRefused as error:
        return {"name": name, "trouble": str(error), "earlier": []}


def _planned(house: Tocsin, name: str, body: GivenPack, by: Principal) -> PackPlan:
    before = house.packs.shelf.current(name)
    kept = {"key": key_to_ask(before, body.key), "folders": body.folders or list(before.folders)}
    asked = body.model_copy(update=kept)
    source = _read(house, asked, before.origin)
    return house.packs.plan(name, source, state=None, by=by.name, now=datetime.now(UTC))


def _read(house: Tocsin, body: GivenPack, before: str = "") -> PackSource:
    """What the body names; a path of this machine only where a pack came from it before."""
    origin = body.origin or before
    is_remote = body.origin.startswith(("https://", ORIGIN))
    if not (is_remote or (before and not body.origin)):
        raise PackRefused("origin must be an https address, or upload:… as /pack-uploads tells it")
    with tempfile.TemporaryDirectory(prefix="tocsin-signature-") as folder:
        signature = _signature(body.signature, Path(folder))
        proof = Proof(body.sha256, signature, key_itself(body.key))
        if not origin.startswith(ORIGIN):
            return read_pack(origin, proof=proof, folders=body.folders)
        return PackUploads(house.settings.home).read(origin, proof, body.folders)


def _signature(given: str, folder: Path) -> str:
    """The address, or the file the given signature was written to."""
    if not given or given.startswith("https://"):
        return given
    path = folder / "signature"
    try:
        path.write_bytes(base64.b64decode(given, validate=True))
    except (binascii.Error, ValueError) as error:
        raise PackRefused(f"signature: neither an https address nor Base64: {error}") from error
    return str(path)


def _carried_out(
    house: Tocsin, plan: PackPlan, what: str, by: Principal, now: datetime
) -> dict[str, Any]:
    staged = house.packs.carry_out(plan, now, what=what)
    PackUploads(house.settings.home).discard(plan.manifest.origin)
    house.rule_keeper.reload(by.name, now)
    return plan_json(plan, installed=True, staged=staged)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except UnknownPack as error:
        raise Problem(404, "No such pack", str(error)) from error
    except PackRefused as error:
        raise Problem(422, "The pack is refused", str(error)) from error
