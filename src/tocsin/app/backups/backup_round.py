"""One backup from its begin to its record: made, thinned out, noted in ledger and audit."""

from datetime import UTC, datetime

from tocsin.app.access.audit import AuditLog
from tocsin.app.backups.backup import OnProgress, make_backup, thin_out
from tocsin.app.backups.backup_generation import Generation
from tocsin.app.backups.backup_ledger import note_failed, note_good
from tocsin.app.home.backup_place import open_vault
from tocsin.app.home.stores import has_state, open_state
from tocsin.app.settings.config import Settings
from tocsin.store.errors import StoreError
from tocsin.store.vault import OnBytes


def back_up(
    settings: Settings,
    place: str,
    keep: int,
    *,
    by: str,
    on_progress: OnProgress = lambda *_: None,
    on_copied: OnBytes = lambda _: None,
) -> tuple[Generation, list[str]]:
    """The backup, and the ids of those dropped as there are more than ``keep``.

    What goes wrong is noted, then raised (StoreError).
    """
    home = settings.home
    try:
        with open_vault(place, settings.backup, writing=True) as vault:
            made = make_backup(home, vault, on_progress, on_copied)
            gone = thin_out(vault, keep)
    except StoreError as error:
        if has_state(home):
            note_failed(home, place, at=datetime.now(UTC), error=str(error))
            _audit(settings, by, place, "failed", str(error))
        raise
    note_good(
        home,
        place,
        at=made.finished_at,
        generation=made.id,
        events=made.events,
        size_bytes=made.size_bytes,
        damaged=len(made.damaged),
    )
    told = f"{made.id}: {made.events} events, {len(made.files)} files"
    _audit(settings, by, place, "done", f"{told}; dropped {', '.join(gone) or 'none'}")
    return made, gone


def _audit(settings: Settings, by: str, place: str, outcome: str, detail: str) -> None:
    state = open_state(settings.home)
    try:
        with state.begin() as tx:
            AuditLog().append(
                tx,
                actor=by,
                action="backup.made",
                subject=place,
                detail=detail,
                outcome=outcome,
                now=datetime.now(UTC),
            )
    finally:
        state.close()
