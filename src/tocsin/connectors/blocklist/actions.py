"""Blocks by an external dynamic list: entries with an expiry that firewalls fetch over HTTP.

An entry is served until it expires or is removed, whichever is first, even if no undo ever runs.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select, update

from tocsin.connectors.blocklist.tables import blocklist_entries as entries
from tocsin.model.identifier import repeatable_id
from tocsin.model.response import Impact, Target, Verb
from tocsin.respond.action import ActionContext, Verdict
from tocsin.respond.duration import duration_text
from tocsin.respond.errors import ActionFailed
from tocsin.respond.target import NETWORK_KINDS, network_of
from tocsin.store.ports import StateStore


def make_actions(context: ActionContext) -> Sequence["Blocklist"]:
    """The connector's actions, found by folder scan."""
    return [Blocklist(context.state, context.clock)]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Blocklist:
    """The blocklist as an action and as the text that is served."""

    name = "blocklist"
    title = "Put on the blocklist that firewalls poll"
    verb = Verb.DENY
    target_kinds = NETWORK_KINDS

    def __init__(self, state: StateStore, clock: Callable[[], datetime] = _utc_now) -> None:
        self._state = state
        self._clock = clock

    def missing(self) -> str:
        return ""

    def plan(self, target: Target, lease_s: int) -> Impact:
        network_of(target)
        return Impact(
            action=self.name,
            target=target,
            summary=f"block {target.value} by the blocklist for {duration_text(lease_s)}",
        )

    def handle_of(self, key: str, target: Target) -> str:
        return repeatable_id("block", key, str(network_of(target)))

    def apply(self, key: str, target: Target, expires_at: datetime) -> str:
        """Add the entry; the same key again finds it there. Raises ``ActionFailed`` when late."""
        handle = self.handle_of(key, target)
        now = self._clock()
        if now >= expires_at:
            raise ActionFailed(f"the entry would have expired at {expires_at.isoformat()}")
        with self._state.begin() as tx:
            if self._entry(tx, handle) is None:
                tx.execute(
                    insert(entries).values(
                        id=handle,
                        target_kind=target.kind,
                        network=str(network_of(target)),
                        created_at=now,
                        expires_at=expires_at,
                    )
                )
        return handle

    def verify(self, handle: str) -> Verdict:
        now = self._clock()
        with self._state.read() as tx:
            found = self._entry(tx, handle)
        if found is None:
            return Verdict(False, "the blocklist never had the entry")
        expires_at, removed_at = found
        if removed_at is not None:
            return Verdict(False, f"taken off the blocklist at {removed_at:%F %T} UTC")
        if now >= expires_at:
            return Verdict(False, f"the entry expired at {expires_at:%F %T} UTC")
        return Verdict(True, f"served on the blocklist until {expires_at:%F %T} UTC")

    def undo(self, handle: str) -> None:
        """Take the entry off; one that is gone or never was is left as it is."""
        with self._state.begin() as tx:
            tx.execute(
                update(entries)
                .where(entries.c.id == handle, entries.c.removed_at.is_(None))
                .values(removed_at=self._clock())
            )

    def networks(self, now: datetime) -> list[str]:
        """What is blocked at ``now``: addresses and CIDR networks, IPv4 first, in order."""
        with self._state.read() as tx:
            rows = tx.execute(
                select(entries.c.target_kind, entries.c.network)
                .where(entries.c.removed_at.is_(None), entries.c.expires_at > now)
                .distinct()
            )
            found = {network_of(Target(row.target_kind, row.network)) for row in rows}
        ordered = sorted(
            found, key=lambda net: (net.version, int(net.network_address), net.prefixlen)
        )
        return [
            str(network.network_address) if network.num_addresses == 1 else str(network)
            for network in ordered
        ]

    def render(self, now: datetime) -> str:
        """The served text: a header of comments, then one address or network a line."""
        networks = self.networks(now)
        header = [
            "# Tocsin blocklist",
            f"# generated {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            f"# entries {len(networks)}",
        ]
        return "\n".join([*header, *networks]) + "\n"

    def _entry(self, tx: Connection, handle: str) -> tuple[datetime, datetime | None] | None:
        row = tx.execute(
            select(entries.c.expires_at, entries.c.removed_at).where(entries.c.id == handle)
        ).one_or_none()
        return None if row is None else (row.expires_at, row.removed_at)
