"""Packs: which rule sets are installed, and adding, updating, pinning, rolling back, removing them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import Response

from tocsin.app.backtests.history_jobs import HistoryJob, JobKind, TooManyJobs
from tocsin.app.home.pack_content import PackRefused
from tocsin.app.home.pack_shelf import Manifest, name_from
from tocsin.app.packs.pack_desk import PackPlan, key_to_ask
from tocsin.app.packs.pack_download import LARGEST_DOWNLOAD_BYTES
from tocsin.app.packs.pack_install import PackSource, Proof, read_pack
from tocsin.app.packs.pack_signature import LARGEST_SIGNATURE_BYTES, key_itself
from tocsin.app.packs.pack_uploads import ORIGIN, PackUploads
from tocsin.app.rule_jobs import start_replay
from tocsin.console.choosing import choice
from tocsin.console.headers import FORM_LIMIT_BYTES
from tocsin.console.panes import attempt
from tocsin.console.visit import Missing, Needs, Refused, Visit, redirect
from tocsin.detect.rules.overlay import LifeState
from tocsin.model.principal import Permission

router = APIRouter(prefix="/packs")
Reader = Annotated[Visit, Depends(Needs(Permission.RULES_READ))]
Writer = Annotated[Visit, Depends(Needs(Permission.RULES_WRITE))]
Sender = Annotated[Visit, Depends(Needs(Permission.RULES_WRITE, files=2))]
REPLAY_DAYS = 14
REPLAY_S = 60.0
"""An update is tried on so much history, and no longer."""
_PIECE_BYTES = 1 << 20
UPDATE, ROLLBACK = "update", "rollback"


@dataclass(frozen=True, slots=True)
class ShownPack:
    """A pack by name; ``manifest`` None when it is damaged, ``trouble`` says how."""

    name: str
    manifest: Manifest | None
    earlier: tuple[Manifest, ...] = ()
    trouble: str = ""


@router.get("")
def packs(visit: Reader) -> Response:
    shelf = visit.tocsin.packs.shelf
    return visit.page(
        "packs.html",
        packs=attempt("The packs", lambda: [_shown(visit, name) for name in shelf.names()]),
        shipped=visit.tocsin.settings.detect.shipped_pack,
    )


@router.post("/preview", max_body_size=LARGEST_DOWNLOAD_BYTES + FORM_LIMIT_BYTES)
async def preview(visit: Sender) -> Response:
    """What adding or updating a pack would change; nothing changes yet.

    The archive comes from an address, or as the form's file.
    """
    try:
        with _refusals():
            origin, file_name = await _taken(visit)
    finally:
        await visit.form.close()
    return await run_in_threadpool(_previewed, visit, origin, file_name)


def _previewed(visit: Visit, origin: str, file_name: str) -> Response:
    name = visit.text("name")
    if not name:
        name = name_from(
            file_name or origin or visit.required("origin", "an https address or an archive file")
        )
    with _refusals():
        plan = _planned(visit, name, origin)
        visit.tocsin.packs.give_up(plan)
    return _plan_page(visit, plan, UPDATE, origin, _replayed(visit, plan))


async def _taken(visit: Visit) -> tuple[str, str]:
    """The origin, and the name of the file that was sent ("" when none was)."""
    archive, signature = visit.form.get("archive"), visit.form.get("signature")
    if not isinstance(archive, UploadFile) or not archive.filename:
        return visit.text("origin"), ""
    uploads = PackUploads(visit.tocsin.settings.home)
    digest = await uploads.take(_pieces(archive))
    if isinstance(signature, UploadFile) and signature.filename:
        uploads.keep_signature(digest, await signature.read(LARGEST_SIGNATURE_BYTES + 1))
    return f"{ORIGIN}{digest}", archive.filename


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(_PIECE_BYTES):
        yield piece


@router.get("/replays/{job_id}")
def replay(visit: Reader, job_id: str) -> Response:
    """How far trying an update on stored events is, then what it came to."""
    job = visit.tocsin.history_jobs.get(job_id)
    if job is None or job.kind is not JobKind.REPLAY:
        raise Missing("This is not known any more; look at the update again.")
    return visit.page("pack_replay.html", job=job, days=REPLAY_DAYS)


@router.get("/preview")
@router.get("/{name}/rollback")
def seen_before(visit: Reader) -> Response:
    """A preview has no address of its own: loaded again, it leads back to the packs."""
    return redirect(visit.request, "/packs")


@router.post("/update")
def take(visit: Writer) -> Response:
    """Put the version that was looked at in force."""
    name = visit.required("name", "the name of the pack")
    with _refusals():
        plan = _planned(visit, name, visit.text("origin"))
        try:
            _check_seen(visit, plan)
        except Refused:
            visit.tocsin.packs.give_up(plan)
            raise
        what = "add" if plan.change is None else "update"
        return _carried_out(visit, plan, what)


@router.post("/{name}/rollback")
def rollback(visit: Writer, name: str) -> Response:
    """Shows what going back changes; with the version that was shown, goes back."""
    with _refusals():
        plan = visit.tocsin.packs.plan_rollback(name, by=visit.principal.name, now=visit.now)
        if not visit.text("seen"):
            return _plan_page(visit, plan, ROLLBACK, "")
        _check_seen(visit, plan)
        return _carried_out(visit, plan, "rollback")


@router.post("/{name}/pin")
def pin(visit: Writer, name: str) -> Response:
    pinned = visit.text("pinned") == "yes"
    with _refusals():
        visit.tocsin.packs.pin(name, pinned, by=visit.principal.name, now=visit.now)
    told = "is held at its version" if pinned else "may be updated again"
    return visit.done(f"{name} {told}.", to="/packs")


@router.post("/{name}/remove")
def remove(visit: Writer, name: str) -> Response:
    """Its rules stop at once; what was decided on them is kept for when they come back."""
    with _refusals():
        manifest = visit.tocsin.packs.remove(name, by=visit.principal.name, now=visit.now)
    visit.tocsin.rule_keeper.reload(visit.principal.name, datetime.now(UTC))
    return visit.done(
        f"{name} is removed: {manifest.rules:,} rules run no more. What was decided on them is kept.",
        to="/packs",
    )


def _shown(visit: Visit, name: str) -> ShownPack:
    shelf = visit.tocsin.packs.shelf
    try:
        return ShownPack(name, shelf.current(name), tuple(shelf.earlier(name)))
    except PackRefused as error:
        return ShownPack(name, None, trouble=str(error))


def _planned(visit: Visit, name: str, origin: str) -> PackPlan:
    """The plan for a pack from ``origin``, or from where it came the last time."""
    tocsin = visit.tocsin
    before = tocsin.packs.shelf.current(name) if name in tocsin.packs.shelf.names() else None
    if before is not None and before.pinned:
        raise Refused(f"{name} is held at its version: release it first.")
    source = _read(visit, origin, before)
    state = choice(LifeState, visit.text("state"))
    plan = tocsin.packs.plan(name, source, state=state, by=visit.principal.name, now=visit.now)
    if not plan.account.rules:
        tocsin.packs.give_up(plan)
        why = plan.account.refused[0].reason if plan.account.refused else "it holds no rule file"
        raise Refused(f"No rule of it can be used: {why}.")
    return plan


def _read(visit: Visit, origin: str, before: Manifest | None) -> PackSource:
    """A path of this machine counts only where a pack came from it before."""
    is_new = before is None or bool(origin and origin != before.origin)
    where = origin if is_new or before is None else before.origin
    key = key_to_ask(before, key_itself(visit.text("key")))
    proof = Proof(visit.text("sha256"), "", key)
    folders = before.folders if before is not None else ()
    if where.startswith(ORIGIN):
        return PackUploads(visit.tocsin.settings.home).read(where, proof, folders)
    if is_new and not where.startswith("https://"):
        raise Refused(
            "Give the https address of an archive, or choose its file. A folder of this machine "
            "is added with: tocsin rules add-pack PATH."
        )
    return read_pack(where, proof=proof, folders=folders)


def _replayed(visit: Visit, plan: PackPlan) -> HistoryJob | None:
    """Begin to try what an update changes on stored events; None where it changes nothing."""
    if not plan.updates:
        return None
    by = visit.principal.name
    try:
        return start_replay(visit.tocsin, plan, days=REPLAY_DAYS, seconds=REPLAY_S, by=by)
    except TooManyJobs:
        return None


def _check_seen(visit: Visit, plan: PackPlan) -> None:
    change = plan.change
    if plan.manifest.digest != visit.text("seen"):
        raise Refused("What is there now is not what you looked at: look at what changes again.")
    if change is not None and change.takes_most_away and visit.text("sure") != "yes":
        gone = len(change.removed) + len(change.unusable)
        raise Refused(
            f"It takes away {gone:,} of {change.before:,} rules: tick that you want this."
        )


def _plan_page(
    visit: Visit, plan: PackPlan, what: str, origin: str, job: HistoryJob | None = None
) -> Response:
    return visit.page(
        "pack_plan.html",
        plan=plan,
        what=what,
        origin=origin,
        sha256=visit.text("sha256"),
        state=visit.text("state"),
        key=visit.text("key"),
        job=job,
        days=REPLAY_DAYS,
    )


def _carried_out(visit: Visit, plan: PackPlan, what: str) -> Response:
    visit.tocsin.packs.carry_out(plan, visit.now, what=what)
    PackUploads(visit.tocsin.settings.home).discard(plan.manifest.origin)
    told = visit.tocsin.rule_keeper.reload(visit.principal.name, datetime.now(UTC))
    name = plan.manifest.name
    return visit.done(f"{name} is in force: {told.in_words()}.", to="/packs")


@contextmanager
def _refusals() -> Iterator[None]:
    """What the desk refuses, as a message on the page."""
    try:
        yield
    except PackRefused as error:
        told = str(error)
        raise Refused(f"{told[:1].upper()}{told[1:]}.") from error
