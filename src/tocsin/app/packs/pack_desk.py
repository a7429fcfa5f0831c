"""Installs, updates, rolls back and removes rule packs; nothing is current before it was compared."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from tocsin.app.access.audit import AuditLog
from tocsin.app.home.pack_content import PackRefused
from tocsin.app.home.pack_shelf import Manifest, PackShelf, check_name, installed_at
from tocsin.app.home.shipped import rule_paths
from tocsin.app.home.stores import open_state
from tocsin.app.packs.pack_change import PackAccount, PackChange, account_of, change_between
from tocsin.app.packs.pack_install import PackSource
from tocsin.app.settings.config import Settings
from tocsin.detect.overlays.overlay_book import OverlayBook
from tocsin.detect.overlays.rule_update import RuleUpdate, updates
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.detect.rules.overlay import LifeState, Overlay
from tocsin.store.engines.vaults.folder_blobs import FolderBlobs
from tocsin.store.ports import BlobStore, StateStore

OnRules = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class PackPlan:
    """A version that lies ready: ``change`` is None for a pack that is new.

    ``updates`` tell rule by rule what differs, those to ask about first; ``followed`` are old to
    new ids of rules on which somebody has decided, whose decisions go along; ``before`` and
    ``after`` are the rules of the two versions, to be tried on history.
    """

    manifest: Manifest
    account: PackAccount
    change: PackChange | None
    updates: tuple[RuleUpdate, ...] = ()
    followed: tuple[tuple[str, str], ...] = ()
    before: RuleSet | None = None
    after: RuleSet | None = None

    @property
    def asks(self) -> list[str]:
        """Why to ask a person before this is carried out, in words."""
        found = [f"{one.title}: {why}" for one in self.updates for why in one.asks]
        conflicts = [(one, each) for one in self.updates for each in one.conflicts]
        return found + [f"{one.title}: {each.in_words()}" for one, each in conflicts]


class PackDesk:
    """Every change of packs in one place, one at a time within a process, told in the audit chain."""

    def __init__(
        self, settings: Settings, state: StateStore, blobs: BlobStore, audit: AuditLog
    ) -> None:
        self._settings = settings
        self._state = state
        self._audit = audit
        self._book = OverlayBook(blobs)
        self._one = threading.RLock()
        self.shelf = PackShelf(settings.home)

    def plan(
        self,
        name: str,
        source: PackSource,
        *,
        state: LifeState | None,
        by: str,
        now: datetime,
        on_progress: OnRules | None = None,
    ) -> PackPlan:
        """Place the version and account for every document of it among the rules that run.

        Nothing of it runs yet: ``carry_out`` or ``give_up`` the plan. ``state`` None: that of the
        version before. Raises PackRefused.
        """
        check_name(name)
        before = self.shelf.current(name) if name in self.shelf.names() else None
        started = before.state if before is not None else LifeState.ACTIVE.value
        content = source.content
        manifest = Manifest(
            name=name,
            digest=content.digest,
            origin=source.origin,
            sha256=source.sha256,
            state=state.value if state is not None else started,
            by=by,
            at=installed_at(now),
            files=len(content.files),
            notices=tuple(content.notices),
            left_out=content.left_out,
            pinned=before.pinned if before is not None else False,
            key=source.key,
            signed_by=source.signed_by,
            signer_says=source.signer_says,
            previous=_previous(before, content.digest),
            folders=source.folders,
        )
        with self._one:
            folder = self.shelf.place(name, content)
            try:
                return self._compared(manifest, folder, content.rule_files, on_progress)
            except BaseException:
                self.shelf.discard(name, content.digest)
                raise

    def plan_rollback(self, name: str, *, by: str, now: datetime) -> PackPlan:
        """Back to the version before the current one. Raises PackRefused when there is none."""
        earlier = self.shelf.earlier(name)
        if not earlier:
            raise PackRefused(f"{name}: no earlier version is kept to go back to")
        previous = earlier[1].digest if len(earlier) > 1 else ""
        pinned = self.shelf.current(name).pinned
        manifest = replace(
            earlier[0], by=by, at=installed_at(now), previous=previous, pinned=pinned
        )
        folder = self.shelf.version(name, manifest.digest)
        files = [one.relative_to(folder).as_posix() for one in sorted(folder.rglob("*.y*ml"))]
        with self._one:
            return self._compared(manifest, folder, files, None)

    def give_up(self, plan: PackPlan) -> None:
        """Take away what was placed; the version before stays in force."""
        with self._one:
            self.shelf.discard(plan.manifest.name, plan.manifest.digest)

    def carry_out(self, plan: PackPlan, now: datetime, *, what: str) -> int:
        """Put the version in force; how many rules were put into their first state before that.

        A rule on which somebody has decided keeps its state; decisions follow a changed id.
        ``what`` names the change in the audit chain.
        """
        manifest = plan.manifest
        with self._one, self._state.begin() as tx:
            staged = 0
            for old, new in plan.followed:
                overlay = self._book.get(tx, old).overlay
                if self._book.get(tx, new).version:
                    continue
                told = f"decisions of {old} followed the rule to its new id"
                carried = replace(overlay, rule_id=new)
                self._book.put(tx, carried, what=told, by=manifest.by, now=now)
            if LifeState(manifest.state) is not LifeState.ACTIVE:
                known = {one.split(" ", 1)[0] for one in plan.change.added} if plan.change else None
                for rule in plan.account.rules:
                    fresh = known is None or rule.id in known
                    if not fresh or self._book.get(tx, rule.id).version:
                        continue
                    self._book.put(
                        tx,
                        Overlay(rule.id, state=LifeState(manifest.state)),
                        what=f"state {manifest.state}",
                        by=manifest.by,
                        now=now,
                        reason=f"came with pack {manifest.name}",
                    )
                    staged += 1
            self._note(tx, manifest, what, plan, now)
            self.shelf.make_current(manifest)
        return staged

    def pin(self, name: str, pinned: bool, *, by: str, now: datetime) -> Manifest:
        """A pinned pack is not updated."""
        with self._one, self._state.begin() as tx:
            manifest = self.shelf.pin(name, pinned)
            self._note(tx, replace(manifest, by=by), "pin" if pinned else "unpin", None, now)
        return manifest

    def remove(self, name: str, *, by: str, now: datetime) -> Manifest:
        """Take a pack and its rules away; what was decided on the rules is kept."""
        with self._one, self._state.begin() as tx:
            manifest = self.shelf.current(name)
            self._note(tx, replace(manifest, by=by), "remove", None, now)
            self.shelf.remove(name)
        return manifest

    def _compared(
        self, manifest: Manifest, folder: Path, files: list[str], on_progress: OnRules | None
    ) -> PackPlan:
        """The plan for a version that lies in ``folder``, beside the rules there are."""
        cache = self._settings.home / "cache" / "rules"
        current = folder.parent / "current"
        paths = rule_paths(self._settings)
        placed = [folder if path == current else path for path in paths]
        if current not in paths:
            at = len(paths) - len(self._settings.detect.rules)
            placed.insert(at, folder)
        loaded = load_rules(placed, cache=cache, on_progress=on_progress)
        account = account_of(loaded, folder, files)
        manifest = replace(manifest, rules=len(account.rules), refused=len(account.refused))
        if current not in paths:
            return PackPlan(manifest, account, None, after=loaded)
        old = load_rules(paths, cache=cache)
        change = change_between(account_of(old, current, ()), account)
        with self._state.read() as tx:
            overlays = {one.overlay.rule_id: one.overlay for one in self._book.all(tx)}
        return PackPlan(
            manifest,
            account,
            change,
            updates=tuple(updates(old, loaded, overlays)),
            followed=tuple(
                (one.before, one.after) for one in change.renumbered if one.before in overlays
            ),
            before=old,
            after=loaded,
        )

    def _note(
        self, tx: Connection, manifest: Manifest, what: str, plan: PackPlan | None, now: datetime
    ) -> None:
        detail: dict[str, object] = {
            "digest": manifest.digest,
            "origin": manifest.origin,
            "rules": manifest.rules,
        }
        if manifest.signed_by:
            detail["signed_by"] = manifest.signed_by
        if plan is not None and plan.change is not None:
            counted = ("added", "changed", "removed", "unusable", "renumbered", "loosened")
            detail |= {each: len(getattr(plan.change, each)) for each in counted}
        self._audit.append(
            tx,
            actor=manifest.by,
            action=f"packs.{what}",
            subject=manifest.name,
            detail=json.dumps(detail),
            now=now,
        )


def needs_confirming(plan: PackPlan) -> bool:
    """Whether somebody must have seen the plan: rules go, change their id, or are loosened."""
    change = plan.change
    if change is None:
        return False
    told = (change.removed, change.unusable, change.renumbered, change.loosened)
    return any(told) or any(one.conflicts for one in plan.updates)


def key_to_ask(before: Manifest | None, given: str) -> str:
    """The key an update must be signed with: the one given, else that of the version before."""
    return given or (before.key if before is not None else "")


def _previous(before: Manifest | None, digest: str) -> str:
    if before is None:
        return ""
    return before.previous if before.digest == digest else before.digest


@contextmanager
def open_pack_desk(settings: Settings) -> Iterator[PackDesk]:
    """The desk over a data folder, beside a server that may run on it."""
    state = open_state(settings.home)
    try:
        yield PackDesk(settings, state, FolderBlobs(settings.home / "blobs"), AuditLog())
    finally:
        state.close()
