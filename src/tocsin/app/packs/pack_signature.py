"""Signatures of rule packs: minisign, and Ed25519 as OpenSSL makes them.

Formats: minisign (https://jedisct1.github.io/minisign/), RFC 8032, RFC 8410 for keys in PEM.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tocsin.app.home.pack_content import PackRefused

SUFFIX = ".minisig"
"""Where a signature lies that nobody named: beside the archive, with this at the end."""
LARGEST_SIGNATURE_BYTES = 16_384
_KEY_BYTES = 42
_SIGNATURE_BYTES = 74
_RAW_BYTES = 64
_TRUSTED = "trusted comment: "


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Who signs. ``number`` is minisign's id of the key, None for one in PEM.

    ``text`` is the key in one line, as it is kept with a pack.
    """

    ed25519: Ed25519PublicKey
    number: bytes | None
    text: str

    @property
    def name(self) -> str:
        """As people compare it: minisign's key id, or the SHA-256 of the key."""
        if self.number is not None:
            return self.number[::-1].hex().upper()
        return hashlib.sha256(self.ed25519.public_bytes_raw()).hexdigest()


def key_itself(given: str) -> str:
    """What people elsewhere gave as a key: no path, which would be one of this machine.

    Raises PackRefused.
    """
    if given and not given.startswith(("RW", "-----BEGIN")):
        raise PackRefused("give the public key itself: minisign's (RW…) or an Ed25519 key in PEM")
    return given


def read_key(given: str) -> PublicKey:
    """A public key, or the file it is in: minisign's (``RW…``) or Ed25519 in PEM.

    Raises PackRefused.
    """
    text = given
    if not given.startswith(("RW", "-----BEGIN")) or Path(given).is_file():
        try:
            text = Path(given).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise PackRefused(f"the key {given} can't be read: {error}") from error
    if "-----BEGIN" in text:
        return _pem_key(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    bare = [line for line in lines if not line.startswith("untrusted comment:")]
    raw = _decoded(bare[0], "the key") if bare else b""
    if len(raw) != _KEY_BYTES or not raw.startswith(b"Ed"):
        raise PackRefused(f"{given[:80]}: no public key of minisign, nor Ed25519 in PEM")
    return PublicKey(Ed25519PublicKey.from_public_bytes(raw[10:]), raw[2:10], bare[0])


def _pem_key(text: str) -> PublicKey:
    try:
        key = load_pem_public_key(text.encode())
    except ValueError as error:
        raise PackRefused(f"the key is no public key in PEM: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise PackRefused(f"the key is {type(key).__name__}: Ed25519 is taken, and minisign")
    return PublicKey(key, None, text.strip())


def check_signature(archive: Path, signature: bytes, key: PublicKey) -> str:
    """What the signer says of the archive (minisign's trusted comment, or ""). Raises PackRefused.

    ``signature`` is a minisign file, or 64 bytes of Ed25519 as they are or in Base64.
    """
    try:
        if key.number is None:
            key.ed25519.verify(_raw_signature(signature), archive.read_bytes())
            return ""
        return _check_minisign(archive, signature, key, key.number)
    except InvalidSignature:
        raise PackRefused(
            f"{archive.name}: the signature is not one of key {key.name} over this archive: it "
            "was changed, is damaged, or the signature belongs to another version"
        ) from None


def _check_minisign(archive: Path, signature: bytes, key: PublicKey, number: bytes) -> str:
    lines = signature.decode("utf-8", "replace").splitlines()
    if len(lines) < 4 or not lines[2].startswith(_TRUSTED):
        raise PackRefused("the signature is not one of minisign: four lines are expected")
    raw = _decoded(lines[1], "the signature")
    if len(raw) != _SIGNATURE_BYTES or raw[:2] not in (b"Ed", b"ED"):
        raise PackRefused("the signature is not one of minisign: its kind is not known")
    if raw[2:10] != number:
        other = raw[2:10][::-1].hex().upper()
        raise PackRefused(f"the archive is signed by key {other}, not by {key.name}")
    content = archive.read_bytes()
    if raw[:2] == b"ED":
        content = hashlib.blake2b(content).digest()
    key.ed25519.verify(raw[10:], content)
    comment = lines[2].removeprefix(_TRUSTED)
    key.ed25519.verify(_decoded(lines[3], "the signature"), raw[10:] + comment.encode())
    return comment


def _raw_signature(signature: bytes) -> bytes:
    raw = signature
    if len(raw) != _RAW_BYTES:
        raw = _decoded(signature.decode("ascii", "replace"), "the signature")
    if len(raw) != _RAW_BYTES:
        raise PackRefused(f"the signature has {len(raw)} bytes: Ed25519 makes {_RAW_BYTES}")
    return raw


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PackRefused(f"{what} is not Base64: {error}") from error
