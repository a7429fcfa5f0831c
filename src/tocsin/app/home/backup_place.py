"""Opens the place that backups are kept in, by its name."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tocsin.app.settings.backup_settings import BackupSettings
from tocsin.store.engines.vaults.folder_vault import FolderVault
from tocsin.store.vault import Vault, VaultError

_BUCKET = "s3://"


@contextmanager
def open_vault(place: str, settings: BackupSettings, *, writing: bool = False) -> Iterator[Vault]:
    """A folder, or ``s3://bucket/prefix``; ``writing`` takes a folder for this process."""
    vault: Any = (
        open_bucket(place, settings.endpoint_url, settings.region)
        if place.startswith(_BUCKET)
        else FolderVault(Path(place).expanduser(), writing=writing)
    )
    try:
        yield vault
    finally:
        vault.close()


def open_bucket(url: str, endpoint_url: str | None, region: str | None) -> Any:
    """The vault below ``s3://bucket/prefix``; what speaks S3 is read when it is asked for."""
    bucket, _, prefix = url.removeprefix(_BUCKET).partition("/")
    if not bucket or not url.startswith(_BUCKET):
        raise VaultError(f"{url!r} is no bucket: give s3://bucket/prefix")
    engine = importlib.import_module("tocsin.store.engines.vaults.s3_vault")
    return engine.S3Vault(bucket, prefix, endpoint_url=endpoint_url, region=region)
