"""Signs decision records with Ed25519 over canonical JSON, and checks the signatures."""

import base64
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tocsin.respond.canonical import canonical_json
from tocsin.respond.errors import RespondError


class Signer:
    """One Ed25519 key. ``key_id`` is the first 16 hexadecimal digits of its public part's SHA-256."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes_raw()
        self.key_id = key_id_of(self.public_key)

    def sign(self, record: object) -> str:
        """The signature over ``record``'s canonical JSON, base64."""
        return base64.b64encode(self._key.sign(canonical_json(record))).decode("ascii")


def key_id_of(public_key: bytes) -> str:
    return hashlib.sha256(public_key).hexdigest()[:16]


def is_signed_by(public_key: bytes, record: object, signature: str) -> bool:
    """True when ``signature`` (base64) is the key's over ``record``."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            base64.b64decode(signature, validate=True), canonical_json(record)
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def open_signer(path: Path) -> Signer:
    """The key at ``path`` (PEM, PKCS 8), made with mode 0600 when there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_new(path, Ed25519PrivateKey.generate())
    if path.stat().st_mode & 0o077:
        raise RespondError(f"{path} holds the signing key but others may read it; chmod 600 it")
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        raise RespondError(f"{path} is not a PEM private key; restore it from backup") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise RespondError(f"{path} holds another kind of key; an Ed25519 key is needed")
    return Signer(key)


def _write_new(path: Path, key: Ed25519PrivateKey) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
