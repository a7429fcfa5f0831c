"""Reads what is to become a pack: a folder, an archive or one at an address, checked when asked."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tocsin.app.home.pack_content import PackContent, PackRefused, chosen, read_folder
from tocsin.app.packs.pack_archive import read_archive
from tocsin.app.packs.pack_download import OnProgress, check_sha256, downloaded, sha256_of
from tocsin.app.packs.pack_signature import (
    LARGEST_SIGNATURE_BYTES,
    SUFFIX,
    PublicKey,
    check_signature,
    read_key,
)


@dataclass(frozen=True, slots=True)
class Proof:
    """What an archive must prove: its SHA-256, or the signature of a key ("": not asked for).

    ``signature`` is the file or https address of it; without one it is looked for beside the
    archive, with ``.minisig`` at the end.
    """

    sha256: str = ""
    signature: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class PackSource:
    """What was given: its content, where it came from, its archive's hash, and who signed it.

    ``folders`` are those its rules were taken from: an update takes the same.
    """

    content: PackContent
    origin: str
    sha256: str
    key: str = ""
    signed_by: str = ""
    signer_says: str = ""
    folders: tuple[str, ...] = ()


def read_pack(
    origin: str,
    *,
    proof: Proof | None = None,
    folders: Sequence[str] = (),
    on_progress: OnProgress | None = None,
) -> PackSource:
    """A folder, an archive, or one at an https address. Raises PackRefused."""
    asked = proof or Proof()
    if asked.signature and not asked.key:
        raise PackRefused("a signature proves nothing without the key: give --key too")
    if "://" in origin:
        with downloaded(origin, on_progress=on_progress) as path:
            return _of_archive(path, origin, asked, folders)
    path = Path(origin)
    if path.is_dir():
        if asked.sha256 or asked.key:
            raise PackRefused(f"{origin} is a folder: a hash or signature is one of an archive")
        content = chosen(read_folder(path), folders)
        return PackSource(content, str(path.resolve()), "", folders=content.folders)
    if not path.is_file():
        raise PackRefused(f"{origin}: no such folder, archive or https address")
    return _of_archive(path, str(path.resolve()), asked, folders)


def _of_archive(path: Path, origin: str, asked: Proof, folders: Sequence[str]) -> PackSource:
    check_sha256(path, asked.sha256)
    key = read_key(asked.key) if asked.key else None
    says = ""
    if key is not None:
        signature = _signature(asked.signature or f"{origin}{SUFFIX}", key)
        says = check_signature(path, signature, key)
    content = chosen(read_archive(path), folders)
    return PackSource(
        content=content,
        origin=origin,
        sha256=sha256_of(path),
        key=key.text if key else "",
        signed_by=key.name if key else "",
        signer_says=says,
        folders=content.folders,
    )


def _signature(where: str, key: PublicKey) -> bytes:
    """The bytes of a signature. Raises PackRefused when there is none."""
    with ExitStack() as stack:
        path = Path(where)
        try:
            if "://" in where:
                path = stack.enter_context(downloaded(where))
            with path.open("rb") as file:
                found = file.read(LARGEST_SIGNATURE_BYTES + 1)
        except (OSError, PackRefused) as error:
            raise PackRefused(
                f"the signature of key {key.name} is asked for, and {where} can't be read "
                f"({error}); give --signature"
            ) from error
    if len(found) > LARGEST_SIGNATURE_BYTES:
        raise PackRefused(f"{where} is too large to be a signature")
    return found
