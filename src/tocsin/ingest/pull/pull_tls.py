"""The files of a pull's TLS, looked at before a library that would not say which one is wrong."""

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tocsin.ingest.pull.pull import PullError

_DER = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def check_tls_files(
    where: str, ca: Path | None, certificate: Path | None, key: Path | None
) -> None:
    """Raises PullError naming the setting, the file and what is wrong with it."""
    if ca is not None:
        _certificates(where, "tls_ca", ca)
    if certificate is None or key is None:
        return
    own = _certificates(where, "tls_certificate", certificate)[0]
    ends = own.not_valid_after_utc
    if ends <= datetime.now(UTC):
        raise PullError(
            f"{where}: tls_certificate {certificate}: expired on {ends:%Y-%m-%d}; renew it"
        )
    try:
        secret = serialization.load_pem_private_key(_read(where, "tls_key", key), None)
    except (ValueError, TypeError) as error:
        raise PullError(
            f"{where}: tls_key {key}: no unencrypted private key in PEM; give one"
        ) from error
    if secret.public_key().public_bytes(*_DER) != own.public_key().public_bytes(*_DER):
        raise PullError(
            f"{where}: tls_key {key}: is not the key of the certificate in {certificate}"
        )


def _certificates(where: str, setting: str, path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(where, setting, path))
    except ValueError as error:
        raise PullError(f"{where}: {setting} {path}: no certificate in PEM; give one") from error


def _read(where: str, setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PullError(
            f"{where}: {setting} {path}: can't be read: {error.strerror}; give a PEM file this "
            "user may read"
        ) from error
