"""Signatures of packs: minisign and Ed25519 in PEM; anything else than a good one is refused."""

import base64
import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from tocsin.app.home.pack_content import PackRefused
from tocsin.app.packs.pack_signature import PublicKey, check_signature, read_key

NUMBER = bytes(range(8))


def minisign(content: bytes, private: Ed25519PrivateKey, *, hashed: bool = True) -> bytes:
    """A signature file as minisign writes it."""
    signed = private.sign(hashlib.blake2b(content).digest() if hashed else content)
    comment = "timestamp:1750000000\tfile:pack.zip"
    whole = private.sign(signed + comment.encode())
    first = base64.b64encode((b"ED" if hashed else b"Ed") + NUMBER + signed).decode()
    last = base64.b64encode(whole).decode()
    text = f"untrusted comment: signature\n{first}\ntrusted comment: {comment}\n{last}\n"
    return text.encode()


def minisign_key(private: Ed25519PrivateKey) -> str:
    raw = private.public_key().public_bytes_raw()
    return base64.b64encode(b"Ed" + NUMBER + raw).decode()


def pem(private: Ed25519PrivateKey | X25519PrivateKey) -> str:
    public = private.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def private() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "pack.zip"
    path.write_bytes(b"the archive")
    return path


@pytest.mark.parametrize("hashed", [True, False])
def test_a_signature_of_minisign_is_checked_with_its_comment(
    archive: Path, private: Ed25519PrivateKey, tmp_path: Path, *, hashed: bool
) -> None:
    signature = minisign(archive.read_bytes(), private, hashed=hashed)
    file = tmp_path / "tocsin.pub"
    file.write_text(f"untrusted comment: minisign public key\n{minisign_key(private)}\n")
    for given_key in (minisign_key(private), str(file)):
        key = read_key(given_key)
        assert key.name == NUMBER[::-1].hex().upper()
        assert check_signature(archive, signature, key).startswith("timestamp:1750000000")
    forged = signature.replace(b"timestamp:1750000000", b"timestamp:1750000001")
    with pytest.raises(PackRefused, match="signature is not one of key"):
        check_signature(archive, forged, key)
    archive.write_bytes(b"the archive!")
    with pytest.raises(PackRefused, match="it was changed"):
        check_signature(archive, signature, key)


def test_a_signature_of_openssl_is_checked(archive: Path, private: Ed25519PrivateKey) -> None:
    key = read_key(pem(private))
    raw = private.sign(archive.read_bytes())
    assert check_signature(archive, raw, key) == ""
    assert check_signature(archive, base64.b64encode(raw) + b"\n", key) == ""
    other = read_key(pem(Ed25519PrivateKey.from_private_bytes(b"x" * 32)))
    with pytest.raises(PackRefused, match="is not one of key"):
        check_signature(archive, raw, other)
    with pytest.raises(PackRefused, match="63 bytes"):
        check_signature(archive, base64.b64encode(raw[:63]), key)


def test_the_key_of_another_signer_is_named(archive: Path, private: Ed25519PrivateKey) -> None:
    key = read_key(minisign_key(private))
    foreign = PublicKey(key.ed25519, b"12345678", key.text)
    with pytest.raises(PackRefused, match="signed by key 0706050403020100, not by 38373635"):
        check_signature(archive, minisign(b"the archive", private), foreign)


@pytest.mark.parametrize("text", ["", "hello", "RWQ=", "-----BEGIN PUBLIC KEY-----\nx\n"])
def test_what_is_no_key_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    with pytest.raises(PackRefused):
        read_key(str(file))
    with pytest.raises(PackRefused, match="can't be read"):
        read_key(str(tmp_path / "absent"))


def test_keys_that_can_not_sign_are_refused() -> None:
    with pytest.raises(PackRefused, match="Ed25519 is taken"):
        read_key(pem(X25519PrivateKey.generate()))


@given(st.binary(max_size=400))
def test_no_bytes_pass_for_a_signature(content: bytes) -> None:
    key = read_key(minisign_key(Ed25519PrivateKey.from_private_bytes(bytes(32))))
    with pytest.raises(PackRefused):
        check_signature(Path(__file__), content, key)
    with pytest.raises(PackRefused):
        check_signature(Path(__file__), content, PublicKey(key.ed25519, None, key.text))
