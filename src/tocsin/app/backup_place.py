"""Opens the place that backups are kept in, by its name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.app.backup_settings import BackupSettings
from tocsin.store.engines.folder_vault import FolderVault
from tocsin.store.vault import Vault


@contextmanager
def open_vault(place: str, settings: BackupSettings, *, writing: bool = False) -> Iterator[Vault]:
    """A folder, or ``s3://bucket/prefix``; ``writing`` takes it for this process."""
    vault = FolderVault(Path(place).expanduser(), writing=writing)
    try:
        yield vault
    finally:
        vault.close()
