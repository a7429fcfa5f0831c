"""Archives people send to be installed as packs: kept until they were used or a day has passed."""

import hashlib
import re
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from tocsin.app.home.pack_content import PackRefused
from tocsin.app.packs.pack_download import LARGEST_DOWNLOAD_BYTES
from tocsin.app.packs.pack_install import PackSource, Proof, read_pack
from tocsin.app.packs.pack_signature import LARGEST_SIGNATURE_BYTES, SUFFIX, read_key

ORIGIN = "upload:"
_KEPT_S = 86_400.0
_MOST_KEPT = 10
_DIGEST = re.compile(r"[0-9a-f]{64}")


class PackUploads:
    """Files below ``home/uploads`` by their SHA-256, a signature beside its archive."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "uploads"

    async def take(self, chunks: AsyncIterator[bytes]) -> str:
        """Keep what comes; its SHA-256. Raises PackRefused when it is empty or too large."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._tidy()
        draft = self._folder / f".new-{uuid.uuid4().hex}"
        whole, size = hashlib.sha256(), 0
        try:
            with draft.open("wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > LARGEST_DOWNLOAD_BYTES:
                        most = LARGEST_DOWNLOAD_BYTES // 1024**2
                        raise PackRefused(f"the archive is larger than {most} MiB")
                    whole.update(chunk)
                    file.write(chunk)
            if not size:
                raise PackRefused("nothing was sent: put the archive's bytes into the body")
            draft.replace(self._folder / whole.hexdigest())
        finally:
            draft.unlink(missing_ok=True)
        return whole.hexdigest()

    def keep_signature(self, digest: str, signature: bytes) -> None:
        """Keep what proves the archive of that SHA-256. Raises PackRefused when it is too large."""
        if len(signature) > LARGEST_SIGNATURE_BYTES:
            raise PackRefused("the signature's file is too large to be one")
        (self._folder / f"{digest}{SUFFIX}").write_bytes(signature)

    def read(self, origin: str, proof: Proof, folders: Sequence[str] = ()) -> PackSource:
        """The pack in the archive of ``upload:…``. Raises PackRefused."""
        path = self.path(origin)
        if proof.key and not proof.signature and not Path(f"{path}{SUFFIX}").is_file():
            raise PackRefused(
                f"it must be signed with the key {read_key(proof.key).name}: send its signature "
                f"({SUFFIX}) with the archive"
            )
        source = read_pack(str(path), proof=proof, folders=folders)
        return replace(source, origin=origin)

    def path(self, origin: str) -> Path:
        """The file of ``upload:…``. Raises PackRefused when it is not there (any more)."""
        digest = origin.removeprefix(ORIGIN)
        path = self._folder / digest
        if not _DIGEST.fullmatch(digest) or not path.is_file():
            raise PackRefused(
                f"{origin}: no such upload; it may be older than a day: send it again"
            )
        return path

    def discard(self, origin: str) -> None:
        """It was installed: the pack keeps its content."""
        if _DIGEST.fullmatch(digest := origin.removeprefix(ORIGIN)):
            (self._folder / digest).unlink(missing_ok=True)
            (self._folder / f"{digest}{SUFFIX}").unlink(missing_ok=True)

    def _tidy(self) -> None:
        there = sorted(self._folder.iterdir(), key=lambda one: one.stat().st_mtime, reverse=True)
        now = time.time()
        for number, one in enumerate(there, 1):
            if number >= _MOST_KEPT or now - one.stat().st_mtime > _KEPT_S:
                one.unlink(missing_ok=True)
