"""The book of overlays: kept with all their versions, within the caller's transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select, update

from tocsin.detect.errors import DetectError
from tocsin.detect.overlays.overlay_content import (
    DamagedOverlay,
    read_overlay,
    unified_diff,
    written,
)
from tocsin.detect.overlays.overlay_tables import RULE_HISTORY, RULE_OVERLAYS
from tocsin.detect.rules.overlay import FieldChange, Overlay, OverlayVersion, changes_between
from tocsin.store.ports import StoreError

_LONGEST_KEPT = 32_768
"""Characters of content that a history entry holds itself."""


class Blobs(Protocol):
    """Keeps long content by its SHA-256."""

    def put(self, content: bytes) -> str: ...

    def get(self, digest: str) -> bytes | None: ...


_CHANGE = (
    update(RULE_OVERLAYS)
    .where(RULE_OVERLAYS.c.rule_id == bindparam("of_rule"))
    .values({name: bindparam(f"new_{name}") for name in ("version", "content", "by", "at")})
)


class OverlayChanged(DetectError):
    """Someone else saved the overlay meanwhile; nothing was saved over it."""

    def __init__(self, current: OverlayVersion, changes: Sequence[FieldChange]) -> None:
        """``changes`` are those since the version the caller had seen."""
        when = f" at {current.at:%Y-%m-%d %H:%M:%S} UTC" if current.at else ""
        told = "; ".join(one.in_words() for one in changes) or "nothing you can see"
        super().__init__(
            f"{current.by or 'someone'} saved version {current.version} of this rule's decisions"
            f"{when} while you had an earlier one open. Changed meanwhile: {told}. Nothing of "
            "yours was saved: look at theirs and save again"
        )
        self.current = current
        self.changes = tuple(changes)


class UnknownVersion(DetectError):
    """There is no such version to go back to, or its content is damaged."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change of a rule: of its overlay, or of its text by its file or pack.

    ``diff`` is a unified diff. ``content`` is the overlay as of then as JSON, of long ones
    ``content_digest`` its blob; both are empty when there was none.
    """

    rule_id: str
    version: int
    what: str
    diff: str
    by: str
    at: datetime
    reason: str
    content: str = ""
    content_digest: str = ""
    text_digest: str = ""


class OverlayBook:
    """Overlays by rule id. ``blobs`` keeps the content of every version."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def all(self, tx: Connection) -> list[OverlayVersion]:
        """Every overlay, by rule id; of damaged ones the last version that can be read."""
        rows = tx.execute(select(RULE_OVERLAYS).order_by(RULE_OVERLAYS.c.rule_id)).mappings()
        return [self._version_of(tx, row) for row in rows.all()]

    def get(self, tx: Connection, rule_id: str) -> OverlayVersion:
        """The overlay of a rule; version 0 when nobody has decided on it."""
        query = select(RULE_OVERLAYS).where(RULE_OVERLAYS.c.rule_id == rule_id)
        row = tx.execute(query).mappings().one_or_none()
        return OverlayVersion(Overlay(rule_id)) if row is None else self._version_of(tx, row)

    def put(
        self,
        tx: Connection,
        overlay: Overlay,
        *,
        what: str,
        by: str,
        now: datetime,
        reason: str = "",
        seen_version: int | None = None,
    ) -> OverlayVersion:
        """Keep a new version; the same content again is no new version.

        ``seen_version`` is the one the caller had before them: when it is not the current one,
        ``OverlayChanged`` says what changed, and nothing is kept. None: whatever there is, the
        caller read it in this transaction.
        """
        before = self.get(tx, overlay.rule_id)
        if seen_version is not None and seen_version != before.version:
            seen = self._seen(tx, overlay.rule_id, seen_version)
            raise OverlayChanged(before, changes_between(seen, before.overlay))
        if before.overlay == overlay and not before.damage:
            return before
        text = written(overlay)
        version = self._next_version(tx, overlay.rule_id)
        values = {"version": version, "content": text, "by": by, "at": now}
        if before.version:
            here = RULE_OVERLAYS.c.rule_id == overlay.rule_id
            tx.execute(update(RULE_OVERLAYS).where(here).values(values))
        else:
            tx.execute(insert(RULE_OVERLAYS).values(rule_id=overlay.rule_id, **values))
        names = (f"version {before.version}", f"version {version}")
        entry = HistoryEntry(
            overlay.rule_id,
            version,
            what,
            unified_diff(before.overlay, overlay, *names),
            by,
            now,
            reason,
            *self._keep(text),
            overlay.base_digest,
        )
        self._write(tx, entry)
        return OverlayVersion(overlay, version, by, now)

    def put_many(
        self,
        tx: Connection,
        changes: Sequence[tuple[OverlayVersion, Overlay, str]],
        *,
        by: str,
        now: datetime,
        reason: str = "",
    ) -> list[OverlayVersion]:
        """Keep many at once: thousands take a few statements, not thousands.

        Each is what there was (as ``all`` gave it), what is wanted, and what to call it.
        """
        versions = self._latest_versions(tx)
        added, changed, entries, kept = [], [], [], []
        for before, overlay, what in changes:
            rule_id, text = overlay.rule_id, written(overlay)
            version = max(versions.get(rule_id, 0), before.version) + 1
            row = {"version": version, "content": text, "by": by, "at": now}
            if before.version:
                changed.append({f"new_{name}": value for name, value in row.items()})
                changed[-1]["of_rule"] = rule_id
            else:
                added.append({"rule_id": rule_id, **row})
            names = (f"version {before.version}", f"version {version}")
            diff = unified_diff(before.overlay, overlay, *names)
            content, digest = self._keep(text)
            facts = {"rule_id": rule_id, "version": version, "what": what, "diff": diff, "by": by}
            facts |= {"at": now, "reason": reason, "content": content, "content_digest": digest}
            entries.append({**facts, "text_digest": overlay.base_digest})
            kept.append(OverlayVersion(overlay, version, by, now))
        if added:
            tx.execute(insert(RULE_OVERLAYS), added)
        if changed:
            tx.execute(_CHANGE, changed)
        if entries:
            tx.execute(insert(RULE_HISTORY), entries)
        return kept

    @staticmethod
    def _latest_versions(tx: Connection) -> dict[str, int]:
        columns = RULE_HISTORY.c
        query = select(columns.rule_id, func.max(columns.version)).group_by(columns.rule_id)
        return {rule_id: version for rule_id, version in tx.execute(query)}

    def note(
        self,
        tx: Connection,
        rule_id: str,
        *,
        what: str,
        diff: str,
        text_digest: str,
        now: datetime,
        by: str = "tocsin",
        reason: str = "",
    ) -> None:
        """Add to a rule's history what happened to its text; its overlay stays as it is."""
        current = self.get(tx, rule_id)
        content = self._keep(written(current.overlay)) if current.version else ("", "")
        version = self._next_version(tx, rule_id)
        entry = HistoryEntry(rule_id, version, what, diff, by, now, reason, *content, text_digest)
        self._write(tx, entry)

    def history(self, tx: Connection, rule_id: str, size: int = 500) -> list[HistoryEntry]:
        """What happened to a rule, latest first."""
        columns = RULE_HISTORY.c
        query = (
            select(RULE_HISTORY)
            .where(columns.rule_id == rule_id)
            .order_by(columns.version.desc())
            .limit(size)
        )
        return [HistoryEntry(**row) for row in tx.execute(query).mappings()]

    def at_version(self, tx: Connection, rule_id: str, version: int) -> Overlay:
        """The overlay as it was at ``version`` (0: none). Raises ``UnknownVersion``."""
        if version == 0:
            return Overlay(rule_id)
        columns = RULE_HISTORY.c
        query = select(columns.content, columns.content_digest).where(
            columns.rule_id == rule_id, columns.version == version
        )
        row = tx.execute(query).one_or_none()
        if row is None:
            raise UnknownVersion(f"rule {rule_id} has no version {version}; see its history")
        if not row.content and not row.content_digest:
            return Overlay(rule_id)
        found = self._read(row.content, row.content_digest, rule_id)
        if isinstance(found, Overlay):
            return found
        raise UnknownVersion(f"version {version} of rule {rule_id} can't be brought back: {found}")

    def _seen(self, tx: Connection, rule_id: str, version: int) -> Overlay:
        try:
            return self.at_version(tx, rule_id, version)
        except UnknownVersion:
            return Overlay(rule_id)

    def _version_of(self, tx: Connection, row: RowMapping) -> OverlayVersion:
        rule_id, version = row["rule_id"], row["version"]
        try:
            overlay, damage = read_overlay(row["content"], rule_id)
        except DamagedOverlay as error:
            earlier = next(self._readable(tx, rule_id), None)
            if earlier is None:
                stays = "no version can be read, so the rule runs as its file says"
                overlay = Overlay(rule_id)
            else:
                number, overlay = earlier
                stays = f"version {number} stays in force; revert to it to mend this"
            damage = [
                f"the decisions on this rule (version {version}) are damaged: {error}; {stays}"
            ]
        return OverlayVersion(overlay, version, row["by"], row["at"], "; ".join(damage))

    def _readable(self, tx: Connection, rule_id: str) -> Iterator[tuple[int, Overlay]]:
        for entry in self.history(tx, rule_id):
            if entry.content or entry.content_digest:
                found = self._read(entry.content, entry.content_digest, rule_id)
                if isinstance(found, Overlay):
                    yield entry.version, found

    def _keep(self, text: str) -> tuple[str, str]:
        """What a history entry holds of a content: the text itself, or the digest of its blob."""
        if len(text) <= _LONGEST_KEPT:
            return text, ""
        return "", self._blobs.put(text.encode("utf-8", "surrogatepass"))

    def _read(self, text: str, digest: str, rule_id: str) -> Overlay | str:
        """The overlay of a history entry, or why it can't be had."""
        try:
            if digest:
                content = self._blobs.get(digest)
                if content is None:
                    return f"its blob {digest} is missing"
                text = content.decode("utf-8", "surrogatepass")
            overlay, damage = read_overlay(text, rule_id)
        except (StoreError, DamagedOverlay, UnicodeDecodeError) as error:
            return str(error)
        return "; ".join(damage) or overlay

    def _next_version(self, tx: Connection, rule_id: str) -> int:
        columns = RULE_HISTORY.c
        query = select(func.max(columns.version)).where(columns.rule_id == rule_id)
        latest = tx.execute(query).scalar() or 0
        kept = select(RULE_OVERLAYS.c.version).where(RULE_OVERLAYS.c.rule_id == rule_id)
        return max(latest, tx.execute(kept).scalar() or 0) + 1

    def _write(self, tx: Connection, entry: HistoryEntry) -> None:
        values = {name: getattr(entry, name) for name in entry.__slots__}
        tx.execute(insert(RULE_HISTORY).values(values))
