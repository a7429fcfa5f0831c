r"""Syslog messages side by side in one payload: newlines inside them are escaped, losslessly.

A backslash becomes two, then a newline becomes backslash-n; so a message that holds the two
characters ``\n`` (a Windows path, say) comes back as it was.
"""

import re

_ESCAPED = re.compile(rb"\\(.)")


def escape(message: bytes) -> bytes:
    if b"\\" in message:
        message = message.replace(b"\\", b"\\\\")
    return message.replace(b"\n", b"\\n") if b"\n" in message else message


def unescape(line: bytes) -> bytes:
    if b"\\" not in line:
        return line
    return _ESCAPED.sub(lambda found: b"\n" if found[1] == b"n" else found[1], line)
