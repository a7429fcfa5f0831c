"""CEF and LEEF events into fields: a header between bars, then pairs as the device names them."""

import re

Pairs = tuple[dict[str, str], bool]

_CEF = re.compile(r"CEF: ?(\d{1,3}(?:\.\d{1,3})?)\|")
_LEEF = re.compile(r"LEEF: ?(\d{1,3}(?:\.\d{1,3})?)\|")
_BAR = re.compile(r"((?:[^|\\]|\\.)*+)(?:\||$)", re.DOTALL)
CEF_NAMES = (
    *("deviceVendor", "deviceProduct", "deviceVersion"),
    *("deviceEventClassId", "name", "severity"),
)
LEEF_NAMES = ("deviceVendor", "deviceProduct", "deviceVersion", "eventID")
_KEY = re.compile(r"(?:^|(?<=\s))([A-Za-z_][\w.\-\[\]:]{0,99})=")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_UNESCAPED = {"n": "\n", "r": "\r"}
_DELIMITER = re.compile(r"(?:0?x([0-9A-Fa-f]{2,4})|([^\s|]))\|")
_SYSLOG_TAGS = ("CEF", "LEEF")


def read_event(text: str) -> Pairs | None:
    """The fields of a CEF (Micro Focus, revision 25) or LEEF (IBM, 1.0 and 2.0) event.

    Values are text without escapes; the header's parts are ``cefVersion`` or ``leefVersion``,
    ``deviceVendor``, ``deviceProduct``, ``deviceVersion``, then ``deviceEventClassId``, ``name``
    and ``severity`` (CEF) or ``eventID`` (LEEF). True with the fields means that the bytes must
    be kept, because a key repeats, is empty or words stand before the first pair. None when the
    text is neither format.
    """
    if text.startswith("CEF:"):
        return _read_cef(text)
    return _read_leef(text) if text.startswith("LEEF:") else None


def mends_tag(program: object) -> bool:
    """True when a syslog header's "program" is the beginning of a CEF or LEEF event."""
    return program in _SYSLOG_TAGS


def _read_cef(text: str) -> Pairs | None:
    head = _CEF.match(text)
    parts = None if head is None else _header(text, head.end(), CEF_NAMES)
    if head is None or parts is None:
        return None
    fields, at = parts
    fields = {"cefVersion": head[1], **fields}
    keeps = _put_pairs(fields, text[at:], escaped=True)
    return fields, keeps


def _read_leef(text: str) -> Pairs | None:
    head = _LEEF.match(text)
    parts = None if head is None else _header(text, head.end(), LEEF_NAMES)
    if head is None or parts is None:
        return None
    fields, at = parts
    fields = {"leefVersion": head[1], **fields}
    delimiter = "\t"
    if head[1].startswith("2"):
        named = _DELIMITER.match(text, at)
        if named:
            delimiter = chr(int(named[1], 16)) if named[1] else named[2]
            at = named.end()
        elif text.startswith(("|", "\t|"), at):
            at = text.index("|", at) + 1
    rest = text[at:]
    if delimiter == "\t" and "\t" not in rest:
        keeps = _put_pairs(fields, rest, escaped=False)
        return fields, keeps
    keeps = False
    for pair in rest.split(delimiter):
        key, assigned, value = pair.partition("=")
        if assigned and key.strip():
            keeps = _put(fields, key.strip(), value.strip()) or keeps
        elif pair.strip():
            keeps = True
    return fields, keeps


def _put_pairs(fields: dict[str, str], text: str, *, escaped: bool) -> bool:
    """Pairs apart by blanks, values going on to the next key; true when the bytes must be kept.

    CEF is written so, and LEEF by some devices and by relays that turn tabs into blanks.
    """
    keys = list(_KEY.finditer(text))
    ends = [key.start() for key in keys[1:]] + [len(text)]
    keeps = bool(text[: keys[0].start() if keys else len(text)].strip())
    for key, end in zip(keys, ends, strict=False):
        value = text[key.end() : end].strip()
        keeps = _put(fields, key[1], unescaped(value) if escaped else value) or keeps
    return keeps


def _header(text: str, at: int, names: tuple[str, ...]) -> tuple[dict[str, str], int] | None:
    fields: dict[str, str] = {}
    for name in names:
        part = _BAR.match(text, at)
        if part is None or (part.end() == len(text) and name != names[-1]):
            return None
        if part[1]:
            fields[name] = unescaped(part[1])
        at = part.end()
    return fields, at


def _put(fields: dict[str, str], name: str, value: str) -> bool:
    """True when the pair has no place of its own; the first of a name counts."""
    if name in fields:
        return True
    if value:
        fields[name] = value
    return False


def unescaped(value: str) -> str:
    """A part of a header, or a value of CEF, without the escapes it may have."""
    if "\\" not in value:
        return value
    return _ESCAPE.sub(_plain, value)


def _plain(found: re.Match[str]) -> str:
    """Escaped are bars, equals signs, backslashes and line ends; any other backslash is one."""
    mark = found[1]
    return _UNESCAPED.get(mark, mark if mark in "\\|=" else found[0])
