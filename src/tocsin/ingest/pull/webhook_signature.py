"""Checks who signed a webhook, and when: HMAC-SHA256 as GitHub, Slack and others use it."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tocsin.ingest.errors import IngestError
from tocsin.ingest.pull.pull_settings import WebhookSettings


class WebhookRefused(IngestError):
    """A request was not signed by who knows the secret; ``reason`` is what is counted."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}; {advice}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Signed:
    """What a sound request says of itself.

    ``delivery`` is the same when the same is sent again, empty where nothing tells; ``age_s`` is
    how long ago it was signed, None where that is not said.
    """

    delivery: str
    age_s: float | None


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a request claims: signatures, any of which may be right, of ``signed``."""

    signed: bytes
    signatures: list[bytes]
    timestamp: str
    delivery: str


def check_signature(
    settings: WebhookSettings, secret: str, headers: Mapping[str, str], body: bytes, now_s: float
) -> Signed:
    """Raises WebhookRefused. ``headers`` have names in lower case; ``now_s`` is Unix time."""
    claim, key = _CLAIMS[settings.scheme](settings, headers, body), secret.encode()
    if settings.scheme == "standard":
        key = _standard_key(secret)
    expected = hmac.new(key, claim.signed, hashlib.sha256).digest()
    if not any([hmac.compare_digest(expected, given) for given in claim.signatures]):
        raise WebhookRefused("wrong signature", "both sides need the same secret")
    age_s = None
    if claim.timestamp:
        age_s = now_s - int(claim.timestamp)
        if abs(age_s) > settings.window_s:
            raise WebhookRefused(
                "signed too long ago" if age_s > 0 else "signed in the future",
                f"at most {settings.window_s} s (window_s); are both clocks right?",
            )
    return Signed(claim.delivery, age_s)


def _github(settings: WebhookSettings, headers: Mapping[str, str], body: bytes) -> _Claim:
    """docs.github.com, "Validating webhook deliveries"."""
    given = _needed(headers, "x-hub-signature-256")
    delivery = headers.get("x-github-delivery", "")
    return _Claim(body, _decoded([given.removeprefix("sha256=")], "hex"), "", delivery)


def _slack(settings: WebhookSettings, headers: Mapping[str, str], body: bytes) -> _Claim:
    """api.slack.com, "Verifying requests from Slack"; version v0."""
    given = _needed(headers, "x-slack-signature")
    told = _timestamp(_needed(headers, "x-slack-request-timestamp"))
    signed = b"v0:%s:%s" % (told.encode(), body)
    return _Claim(signed, _decoded([given.removeprefix("v0=")], "hex"), told, given)


def _standard(settings: WebhookSettings, headers: Mapping[str, str], body: bytes) -> _Claim:
    """The specification of Standard Webhooks, version 1: several signatures may be given."""
    given = _needed(headers, "webhook-signature").split()
    told = _timestamp(_needed(headers, "webhook-timestamp"))
    name = _needed(headers, "webhook-id")
    signed = b"%s.%s.%s" % (name.encode("latin-1", "replace"), told.encode(), body)
    ours = [one[3:] for one in given if one.startswith("v1,")]
    return _Claim(signed, _decoded(ours, "base64"), told, name)


def _generic(settings: WebhookSettings, headers: Mapping[str, str], body: bytes) -> _Claim:
    given = _needed(headers, settings.header.lower())
    signatures = _decoded([given.removeprefix(settings.signature_prefix)], settings.encoding)
    if not settings.timestamp_header:
        return _Claim(body, signatures, "", "")
    told = _timestamp(_needed(headers, settings.timestamp_header.lower()))
    return _Claim(b"%s.%s" % (told.encode(), body), signatures, told, given)


_CLAIMS = {"github": _github, "slack": _slack, "standard": _standard, "generic": _generic}


def _needed(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "").strip()
    if not value:
        raise WebhookRefused("not signed", f"send the header {name}")
    return value


def _timestamp(told: str) -> str:
    if not (told.isascii() and told.isdigit() and len(told) <= 12):
        raise WebhookRefused("no timestamp", "send Unix seconds")
    return told


def _decoded(texts: Iterable[str], encoding: str) -> list[bytes]:
    """The signatures as bytes; those that are not written soundly are left out."""
    decoded = []
    for text in texts:
        try:
            sound = text.encode("ascii")
            decoded.append(
                binascii.unhexlify(sound)
                if encoding == "hex"
                else base64.b64decode(sound, validate=True)
            )
        except (ValueError, binascii.Error):
            continue
    return decoded


def _standard_key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return secret.encode()
