"""Canonical JSON (JCS, RFC 8785), so that a digest or signature covers one exact text."""

import hashlib
import json
from collections.abc import Mapping


def canonical_json(value: object) -> bytes:
    """UTF-8 bytes; keys sorted by UTF-16 code units. Floats are refused: we sign none.

    Raises ``ValueError`` for what has no canonical form here (floats, integers beyond 2^53,
    keys that are not text, lone surrogates).
    """
    return _text(value).encode("utf-8")


def digest_of(value: object) -> str:
    """SHA-256 of the canonical JSON, lower-case hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _text(value: object) -> str:
    if value is None or isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) > 2**53:
            raise ValueError(f"{value} is beyond 2^53 and has no canonical JSON; write it as text")
        return str(value)
    if isinstance(value, Mapping):
        names = list(value)
        if not all(isinstance(name, str) for name in names):
            raise ValueError(f"canonical JSON needs text keys, got {names!r}")
        names.sort(key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{_text(name)}:{_text(value[name])}" for name in names) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_text, value)) + "]"
    raise ValueError(f"{type(value).__name__} has no canonical JSON; convert it first")
