"""Gives up segments that are lost: they count no longer, and the audit chain keeps what they were."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from tocsin.app.access.audit import AuditLog
from tocsin.app.storage.holds import HoldBook
from tocsin.store.engines.state import manifest
from tocsin.store.errors import StoreError
from tocsin.store.ports import Segment, StateStore

ALL = "all"
_SHOWN = 20


class NotGivenUp(StoreError):
    """A segment that must not be given up; the message says why."""


@dataclass(frozen=True, slots=True)
class GivingUp:
    """Which of the damaged segments are given up (ids, paths, or ``all``), and why."""

    which: frozenset[str]
    because: str

    def names(self, segment: Segment) -> bool:
        known = {ALL, segment.id, segment.path, f"events/{segment.path}"}
        return not known.isdisjoint(self.which)


def give_up(
    state: StateStore, segment: Segment, reason: str, because: str, *, by: str, now: datetime
) -> bool:
    """Let a damaged segment count no longer; what is left of its file goes with the next start.

    False when it has changed meanwhile. Raises NotGivenUp for one that may be under a hold.
    """
    audit = AuditLog()
    with state.begin() as tx:
        for hold in HoldBook(state, audit).sparing(tx, now):
            of_any = replace(hold, tenant="")
            if any(of_any.covers("", source) for source in segment.sources):
                raise NotGivenUp(
                    f"segment {segment.path} has events of {_some(segment.sources)}, which the "
                    f"hold {hold.name!r} may be about: mend it from a backup, or lift the hold"
                )
        if not manifest.swap(tx, [segment], None):
            return False
        audit.append(
            tx,
            actor=by,
            action="store.give_up",
            subject=segment.path,
            detail=(
                f"{segment.rows:,} events of {_some(segment.sources)}, of "
                f"{segment.first_time:%Y-%m-%dT%H:%M:%SZ} to {segment.last_time:%Y-%m-%dT%H:%M:%SZ}"
                f", SHA-256 {segment.checksum}; it {reason}; because: {because}"
            ),
            now=now,
        )
    return True


def _some(names: Collection[str]) -> str:
    shown = sorted(names)[:_SHOWN]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(shown) + more
