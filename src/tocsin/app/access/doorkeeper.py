"""Access and audit alone, for commands that manage them while a server may be running."""

from dataclasses import dataclass
from types import TracebackType

from tocsin.app.access.access import Access
from tocsin.app.access.audit import AuditLog
from tocsin.app.home.stores import open_state
from tocsin.app.home.unfinished_restore import refuse_unfinished
from tocsin.app.settings.config import Settings
from tocsin.store.ports import StateStore


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """The state store with who may come in; a context manager that closes it."""

    state: StateStore
    access: Access
    audit: AuditLog

    def __enter__(self) -> "Doorkeeper":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.state.close()


def open_doorkeeper(settings: Settings) -> Doorkeeper:
    """Open the state store of the data folder; a server may be using it at the same time."""
    refuse_unfinished(settings.home)
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    state = open_state(settings.home)
    audit = AuditLog()
    return Doorkeeper(state, open_access(settings, state, audit), audit)


def open_access(settings: Settings, state: StateStore, audit: AuditLog) -> Access:
    return Access(
        state,
        audit,
        idle_s=settings.access.session_idle_s,
        longest_s=settings.access.session_longest_s,
    )
