"""Content encodings are unpacked whole and within their limit, or it is said why not."""

import gzip
import zlib
from collections.abc import Callable

import pytest
import zstandard

from tocsin.ingest.bodies.content_encoding import (
    CutOff,
    UnknownEncoding,
    UnpackedTooLarge,
    UnpackFault,
    unpacked,
)

LIMIT = 10_000
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}
PACKED = pytest.mark.parametrize("encoding", PACKERS)


@PACKED
def test_content_of_the_limit_comes_out_and_no_byte_more(encoding: str) -> None:
    pack = PACKERS[encoding]
    assert unpacked(pack(b"x" * LIMIT), f" {encoding.upper()} ", LIMIT) == b"x" * LIMIT
    with pytest.raises(UnpackedTooLarge, match="10,000"):
        unpacked(pack(b"x" * (LIMIT + 1)), encoding, LIMIT)


@PACKED
def test_what_is_cut_off_or_no_such_thing_is_told(encoding: str) -> None:
    packed = PACKERS[encoding](bytes(range(256)) * 4)
    with pytest.raises(CutOff, match="end mark"):
        unpacked(packed[:-1], encoding, LIMIT)
    with pytest.raises(UnpackFault, match="unpacking failed"):
        unpacked(b"plain text", encoding, LIMIT)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_every_member_comes_out(encoding: str) -> None:
    pack = PACKERS[encoding]
    assert unpacked(pack(b"one\n") + pack(b"two\n"), encoding, LIMIT) == b"one\ntwo\n"
    with pytest.raises(UnpackedTooLarge):
        unpacked(pack(b"x" * 6_000) * 2, encoding, LIMIT)


def test_plain_content_is_held_to_the_limit_too() -> None:
    assert unpacked(b"abc", "", 3) == unpacked(b"abc", "identity", 3) == b"abc"
    with pytest.raises(UnpackedTooLarge):
        unpacked(b"abcd", "", 3)


def test_other_encodings_are_named() -> None:
    with pytest.raises(UnknownEncoding, match="'br'"):
        unpacked(b"", "br", LIMIT)
