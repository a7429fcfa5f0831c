"""Canonical JSON and signatures: one text for one value, and nobody else's."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.respond.canonical import canonical_json, digest_of
from tocsin.respond.errors import RespondError
from tocsin.respond.signature import is_signed_by, open_signer

plain_text = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | plain_text,
    lambda inner: st.lists(inner) | st.dictionaries(plain_text, inner),
    max_leaves=20,
)


@settings(deadline=None)
@given(values)
def test_it_is_json_and_says_the_same(value: object) -> None:
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


def test_the_example_of_the_specification_is_reproduced() -> None:
    # RFC 8785 §3.2.3, without its numbers that are no whole ones
    value = {
        "€": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "😀": "Emoji: Grinning Face",
        "\x80": "Control",
        "ö": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonical_json(value))) == ["\r", "1", "\x80", "ö", "€", "😀", "\ufb33"]
    assert (
        canonical_json({"b": [True, None], "a": 'é"\n'})
        == '{"a":"é\\"\\n","b":[true,null]}'.encode()
    )


@pytest.mark.parametrize("value", [1.5, 2**53 + 1, {1: "x"}, b"x", "\ud800", {"a": {1, 2}}])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- UnicodeEncodeError is one
        digest_of(value)


def test_a_key_is_made_once_private_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.pem"
    signer = open_signer(path)
    assert path.stat().st_mode & 0o777 == 0o600
    again = open_signer(path)
    assert again.key_id == signer.key_id
    record = {"a": 1}
    signature = signer.sign(record)
    assert is_signed_by(again.public_key, record, signature)
    assert not is_signed_by(again.public_key, {"a": 2}, signature)
    assert not is_signed_by(again.public_key, record, "not base64!")
    other = open_signer(path.with_name("other.pem"))
    assert not is_signed_by(other.public_key, record, signature)


def test_a_key_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    open_signer(path)
    path.chmod(0o644)
    with pytest.raises(RespondError, match="chmod 600"):
        open_signer(path)
    path.chmod(0o600)
    path.write_text("rubbish")
    with pytest.raises(RespondError, match="not a PEM private key"):
        open_signer(path)
