"""Installs and updates rule packs: placed, accounted for and compared before they are current."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tocsin.app.config import Settings
from tocsin.app.pack_archive import read_archive
from tocsin.app.pack_change import PackAccount, PackChange, account_of, change_between
from tocsin.app.pack_content import PackContent, PackRefused, chosen, read_folder
from tocsin.app.pack_download import OnProgress, check_sha256, downloaded, sha256_of
from tocsin.app.pack_shelf import Manifest, PackShelf, check_name, installed_at
from tocsin.app.shipped import rule_paths
from tocsin.detect.overlay import LifeState, Overlay
from tocsin.detect.overlay_book import OverlayBook
from tocsin.detect.ruleset import load_rules
from tocsin.store.engines.folder_blobs import FolderBlobs
from tocsin.store.engines.sqlite_state import SqliteState


@dataclass(frozen=True, slots=True)
class PackSource:
    """What was given: its content, where it came from, and the hash of its archive."""

    content: PackContent
    origin: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PackPlan:
    """A version that lies ready: ``change`` is None for a pack that is new."""

    manifest: Manifest
    account: PackAccount
    change: PackChange | None


def read_pack(
    origin: str,
    *,
    sha256: str = "",
    folders: Sequence[str] = (),
    on_progress: OnProgress | None = None,
) -> PackSource:
    """A folder, an archive, or one at an https address. Raises PackRefused."""
    if "://" in origin:
        with downloaded(origin, on_progress=on_progress) as path:
            return _of_archive(path, origin, sha256, folders)
    path = Path(origin)
    if path.is_dir():
        if sha256:
            raise PackRefused(f"{origin} is a folder: a SHA-256 is one of an archive")
        return PackSource(chosen(read_folder(path), folders), str(path.resolve()), "")
    if not path.is_file():
        raise PackRefused(f"{origin}: no such folder, archive or https address")
    return _of_archive(path, str(path.resolve()), sha256, folders)


def _of_archive(path: Path, origin: str, sha256: str, folders: Sequence[str]) -> PackSource:
    check_sha256(path, sha256)
    return PackSource(chosen(read_archive(path), folders), origin, sha256_of(path))


def plan_pack(
    settings: Settings,
    name: str,
    source: PackSource,
    *,
    state: LifeState | None,
    by: str,
    now: datetime,
    on_progress: Callable[[int, int], None] | None = None,
) -> PackPlan:
    """Place the version and account for every document of it among the rules that run.

    Nothing of it runs yet: ``carry_out`` or ``give_up`` the plan. ``state`` None: that of the
    version before. Raises PackRefused.
    """
    check_name(name)
    shelf = PackShelf(settings.home)
    before = shelf.current(name) if name in shelf.names() else None
    folder = shelf.place(name, source.content)
    cache = settings.home / "cache" / "rules"
    current = folder.parent / "current"
    try:
        others = [path for path in rule_paths(settings) if path != current]
        loaded = load_rules([*others, folder], cache=cache, on_progress=on_progress)
        account = account_of(loaded, folder, source.content.rule_files)
        change = None
        if before is not None:
            old = load_rules(rule_paths(settings), cache=cache)
            change = change_between(account_of(old, current, ()), account)
    except BaseException:
        shelf.discard(name, source.content.digest)
        raise
    started = before.state if before is not None else LifeState.ACTIVE.value
    manifest = Manifest(
        name=name,
        digest=source.content.digest,
        origin=source.origin,
        sha256=source.sha256,
        state=state.value if state is not None else started,
        by=by,
        at=installed_at(now),
        files=len(source.content.files),
        rules=len(account.rules),
        refused=len(account.refused),
        notices=tuple(source.content.notices),
        left_out=source.content.left_out,
        pinned=before.pinned if before is not None else False,
    )
    return PackPlan(manifest, account, change)


def give_up(settings: Settings, plan: PackPlan) -> None:
    """Take away what was placed; the version before stays in force."""
    PackShelf(settings.home).discard(plan.manifest.name, plan.manifest.digest)


def carry_out(settings: Settings, plan: PackPlan, now: datetime) -> int:
    """Put the version in force; how many rules were put into their first state before that.

    A rule on which somebody has decided keeps its state.
    """
    state = LifeState(plan.manifest.state)
    staged = 0
    if state is not LifeState.ACTIVE:
        staged = _put_into(settings, plan, state, now)
    PackShelf(settings.home).make_current(plan.manifest)
    return staged


def _put_into(settings: Settings, plan: PackPlan, state: LifeState, now: datetime) -> int:
    """An overlay with that state for each rule of the pack that has none."""
    known = {one.split(" ", 1)[0] for one in plan.change.added} if plan.change else None
    rules = [rule for rule in plan.account.rules if known is None or rule.id in known]
    kept = SqliteState(settings.home / "state.sqlite")
    staged = 0
    try:
        book = OverlayBook(FolderBlobs(settings.home / "blobs"))
        with kept.begin() as tx:
            for rule in rules:
                if book.get(tx, rule.id).version:
                    continue
                book.put(
                    tx,
                    Overlay(rule.id, state=state),
                    what=f"state {state.value}",
                    by=plan.manifest.by,
                    now=now,
                    reason=f"came with pack {plan.manifest.name}",
                )
                staged += 1
    finally:
        kept.close()
    return staged
