"""Webhooks are believed when the signature, and the time where one is signed, are right."""

import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest

from tocsin.ingest.pull.pull_settings import WebhookSettings
from tocsin.ingest.pull.webhook_signature import WebhookRefused, check_signature

NOW = 1_700_000_000.0
BODY = b'{"action":"opened"}'


def _door(scheme: str, **more: Any) -> WebhookSettings:
    return WebhookSettings(name="door", scheme=scheme, secret_file=Path("unused"), **more)


def _mac(secret: bytes, signed: bytes) -> bytes:
    return hmac.new(secret, signed, hashlib.sha256).digest()


def _signed(scheme: str, at: float = NOW) -> dict[str, str]:
    told, key = str(int(at)), b"s3cret"
    match scheme:
        case "github":
            return {"x-hub-signature-256": f"sha256={_mac(key, BODY).hex()}"}
        case "slack":
            mac = _mac(key, b"v0:%s:%s" % (told.encode(), BODY))
            return {"x-slack-signature": f"v0={mac.hex()}", "x-slack-request-timestamp": told}
        case "standard":
            mac = _mac(key, b"msg_1.%s.%s" % (told.encode(), BODY))
            return {
                "webhook-id": "msg_1",
                "webhook-timestamp": told,
                "webhook-signature": f"v1,AAAA v1,{base64.b64encode(mac).decode()}",
            }
    return {"x-signature": _mac(key, BODY).hex()}


def test_github_s_own_example_is_right() -> None:
    """The test value of docs.github.com, "Validating webhook deliveries"."""
    told = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"x-hub-signature-256": told}
    check_signature(_door("github"), "It's a Secret to Everybody", headers, b"Hello, World!", NOW)


def test_slack_s_own_example_is_right() -> None:
    """The test value of api.slack.com, "Verifying requests from Slack"."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id="
        b"G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook"
        b"-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F3977"
        b"00885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d1"
        b"0d2c447fce8b6703c"
    )
    headers = {
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        "x-slack-request-timestamp": "1531420618",
    }
    secret = "8f742231b10e8888abcd99yyyzzz85a5"
    check_signature(_door("slack"), secret, headers, body, 1531420620.0)


@pytest.mark.parametrize("scheme", ["github", "slack", "standard", "generic"])
def test_right_is_let_in_and_wrong_is_refused_with_its_reason(scheme: str) -> None:
    door, headers = _door(scheme), _signed(scheme)
    check_signature(door, "s3cret", headers, BODY, NOW)
    with pytest.raises(WebhookRefused, match="wrong signature"):
        check_signature(door, "another", headers, BODY, NOW)
    with pytest.raises(WebhookRefused, match="wrong signature"):
        check_signature(door, "s3cret", headers, BODY + b" ", NOW)
    for name in headers:
        if name != "x-github-delivery":
            left = {key: value for key, value in headers.items() if key != name}
            with pytest.raises(WebhookRefused, match="not signed"):
                check_signature(door, "s3cret", left, BODY, NOW)


@pytest.mark.parametrize("scheme", ["slack", "standard"])
@pytest.mark.parametrize(("off_s", "why"), [(301, "signed too long ago"), (-301, "future")])
def test_what_was_signed_at_another_time_is_refused(scheme: str, off_s: int, why: str) -> None:
    headers = _signed(scheme, at=NOW - off_s)
    with pytest.raises(WebhookRefused, match=why):
        check_signature(_door(scheme), "s3cret", headers, BODY, NOW)
    within = _signed(scheme, at=NOW - off_s + (2 if off_s > 0 else -2) * 1)
    check_signature(_door(scheme), "s3cret", within, BODY, NOW)


def test_a_generic_door_takes_prefix_base64_and_a_signed_time() -> None:
    door = _door(
        "generic",
        header="X-Sig",
        signature_prefix="v=",
        encoding="base64",
        timestamp_header="X-Time",
        window_s=10,
    )
    told = str(int(NOW))
    mac = base64.b64encode(_mac(b"k", b"%s.%s" % (told.encode(), BODY))).decode()
    headers = {"x-sig": f"v={mac}", "x-time": told}
    assert check_signature(door, "k", headers, BODY, NOW).delivery
    with pytest.raises(WebhookRefused, match="too long ago"):
        check_signature(door, "k", headers, BODY, NOW + 11)


@pytest.mark.parametrize(
    "given", ["sha256=", "sha256=zz", "zażółć", "\ud800", "sha256=" + "0" * 10_000, "v1,", ","]
)
@pytest.mark.parametrize("scheme", ["github", "slack", "standard", "generic"])
def test_signatures_of_no_sense_are_refused(scheme: str, given: str) -> None:
    headers = dict.fromkeys(_signed(scheme), given)
    headers |= {name: str(int(NOW)) for name in headers if name.endswith("timestamp")}
    with pytest.raises(WebhookRefused):
        check_signature(_door(scheme), "s3cret", headers, BODY, NOW)
