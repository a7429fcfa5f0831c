"""TLS for syslog (RFC 5425): the listener's certificate, and senders that are turned away."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

import structlog
from cryptography import x509

from tocsin.ingest.errors import IngestError

HANDSHAKE_S = 15.0
"""How long a sender may take to begin."""
_MOST_KNOWN = 1_000
_log = structlog.get_logger()
_ADVICE = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the sender shows no certificate; give it one signed by "
    "the client_ca of this listener",
    "CERTIFICATE_VERIFY_FAILED": "the sender's certificate is not accepted; renew it, or have it "
    "signed by the client_ca of this listener",
    "WRONG_VERSION_NUMBER": "this is no TLS; set the sender to TLS, or to a port without it",
    "HTTP_REQUEST": "this is HTTP; send syslog over TLS here",
    "TLSV1_ALERT_UNKNOWN_CA": "the sender does not know who signed this listener's certificate; "
    "give it the CA's",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the sender says that this listener's certificate is "
    "expired; renew it",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the sender does not accept this listener's certificate; its "
    "name must be the one that the sender connects to",
}


def tls_context(certificate: Path, key: Path, client_ca: Path | None = None) -> ssl.SSLContext:
    """What a listener needs for TLS 1.2 and later; raises IngestError that names the file.

    With ``client_ca`` every sender must show a certificate signed by it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _check_certificate(certificate)
    _read(key, "key")
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, OSError) as error:
        raise IngestError(
            f"{key}: not the unencrypted PEM key of the certificate in {certificate}: {error}"
        ) from error
    if client_ca is not None:
        _read(client_ca, "client_ca")
        try:
            context.load_verify_locations(client_ca)
        except ssl.SSLError as error:
            raise IngestError(
                f"{client_ca}: no certificates in PEM: {error}; give the CA's that signs your senders'"
            ) from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _check_certificate(certificate: Path) -> None:
    content = _read(certificate, "certificate")
    try:
        chain = x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise IngestError(f"{certificate}: no certificate in PEM: {error}") from error
    ends = chain[0].not_valid_after_utc
    if ends <= datetime.now(UTC):
        raise IngestError(
            f"{certificate}: the certificate expired on {ends:%Y-%m-%d}, no sender would accept "
            "it; renew it"
        )


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise IngestError(
            f"{path}: {name} can't be read: {error.strerror}; give a PEM file this user may read"
        ) from error


class TurnedAway:
    """Counts the senders with which no TLS came about, and says why; the log is not flooded."""

    def __init__(self, listener: str) -> None:
        self._listener = listener
        self._times: dict[tuple[str, str], int] = {}
        self.count = 0

    def add(self, peer: str, error: Exception) -> None:
        """One more; logged the first, tenth, hundredth … time it is the same."""
        self.count += 1
        reason, advice = _reason_of(error)
        if len(self._times) >= _MOST_KNOWN:
            self._times.clear()
        times = self._times[peer, reason] = self._times.get((peer, reason), 0) + 1
        if times == 10 ** (len(str(times)) - 1):
            _log.warning(
                "syslog_tls_refused",
                listener=self._listener,
                sender=peer,
                reason=reason,
                advice=advice,
                times=times,
            )


def _reason_of(error: Exception) -> tuple[str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message, _ADVICE["CERTIFICATE_VERIFY_FAILED"]
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower(), _ADVICE.get(error.reason, "")
    if isinstance(error, TimeoutError):
        return f"no TLS within {HANDSHAKE_S:g} s", "the sender connects and says nothing"
    return "the connection ended before TLS began", "the sender may not accept the certificate"
