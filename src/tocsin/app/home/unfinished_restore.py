"""Refuses a data folder into which a backup is still to be restored."""

from pathlib import Path

from tocsin.store.ports import StoreError

RESTORING = ".restoring"
"""Folder below the data folder where a restore works; there as long as it has not ended."""


def refuse_unfinished(home: Path) -> None:
    """Raises StoreError when restoring was begun in ``home`` and did not end."""
    if (home / RESTORING).is_dir():
        raise StoreError(
            f"a backup is being restored to {home}, or that was stopped before its end: give the "
            "same tocsin admin restore once more, it goes on where it stopped"
        )
