r"""Syslog messages side by side in one payload: newlines inside them are escaped, losslessly.

A backslash becomes two, then a newline becomes backslash-n; so a message that holds the two
characters ``\n`` (a Windows path, say) comes back as it was.
"""

import re
from collections.abc import Sequence

_ESCAPED = re.compile(rb"\\(.)")
_BACKSLASH, _PAIR, _STAND_IN = b"\\", b"\\\\", b"\0\1"


def joined(messages: Sequence[bytes]) -> bytes:
    """The messages as lines of one payload."""
    payload = b"\n".join(messages)
    if b"\\" not in payload and payload.count(b"\n") == len(messages) - 1:
        return payload
    return b"\n".join(map(escape, messages))


def escape(message: bytes) -> bytes:
    return message.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")


def unescape(line: bytes) -> bytes:
    if b"\\" not in line:
        return line
    return _ESCAPED.sub(lambda found: b"\n" if found[1] == b"n" else found[1], line)


def unescape_all(payload: bytes) -> tuple[bytes, dict[int, bytes]]:
    """The lines of a payload as they were, still a line each.

    Those that were of several lines are told apart, by their number; what stands in the payload
    in their place is none of theirs.
    """
    if _BACKSLASH not in payload:
        return payload, {}
    if _STAND_IN in payload:
        number_of = dict(enumerate(payload.split(b"\n")))
        return payload, {at: unescape(line) for at, line in number_of.items() if _BACKSLASH in line}
    marked = payload.replace(_PAIR, _STAND_IN)
    apart: dict[int, bytes] = {}
    if _BACKSLASH in marked:
        lines = payload.split(b"\n")
        for at, line in enumerate(marked.split(b"\n")):
            if _BACKSLASH in line:
                apart[at] = unescape(lines[at])
    return marked.replace(_STAND_IN, _BACKSLASH), apart
