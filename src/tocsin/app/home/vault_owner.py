"""Says whose a vault is and what it is for: what nobody names in it is dropped."""

from pathlib import Path

from tocsin.store.vault import Vault, VaultError

BACKUPS = "backups"
COLD_SEGMENTS = "cold segments"
_ABOUT = "about"


def claim(home: Path, vault: Vault, purpose: str) -> None:
    """Take the place for one purpose of a data folder (and of what is restored from it).

    Raises VaultError when it serves another.
    """
    name = home / "spool" / "id"
    own = f"{purpose} of {name.read_text(encoding='ascii') if name.is_file() else ''}".encode()
    found = vault.read_document(_ABOUT)
    if found is None:
        vault.write_document(_ABOUT, own)
    elif found != own:
        raise VaultError(
            f"{vault.url} holds {found.partition(b' of ')[0].decode('ascii', 'replace')} of another "
            f"data folder, or something else: give the {purpose} of {home} a place of their own"
        )
