"""Blobs are found by their digest, whole or not at all."""

import hashlib

import pytest


@pytest.mark.parametrize("content", [b"", b"evidence", bytes(range(256)) * 1000])
def test_content_is_found_by_its_digest(blobs, content):
    digest = blobs.put(content)
    assert digest == hashlib.sha256(content).hexdigest()
    assert blobs.get(digest) == content
    assert blobs.put(content) == digest


@pytest.mark.parametrize("digest", ["0" * 64, "", "../../etc/passwd", "A" * 64, "ab\n"])
def test_what_was_never_put_is_none(blobs, digest):
    blobs.put(b"something")
    assert blobs.get(digest) is None
