"""A line that is nothing but ``key=value`` pairs (logfmt, FortiGate and its kin) into fields."""

import re

FEWEST_PAIRS = 3
"""With fewer it may be a sentence that happens to hold an equals sign."""
_BEGINS = re.compile(r'[A-Za-z_@][\w.\-/@]{0,99}=(?:"|[^\s=])')
_NAME = r"[A-Za-z_@][\w.\-/@]*+"
_VALUE = r'"(?:[^"\\]|\\.)*+"|[^\s"][^\s"]*+|'
_PAIR = re.compile(rf"({_NAME})=({_VALUE})(?:[ \t]+|$)", re.DOTALL)
_PAIRS = re.compile(rf"(?:{_NAME}=(?:{_VALUE})(?:[ \t]+|$))++", re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\])')


def read_pairs(text: str) -> tuple[dict[str, str], bool] | None:
    """The pairs and whether the bytes must be kept because a key repeats.

    Values are text, out of their quotes. None when anything in the text is no pair: nothing of
    it may be lost. An empty value makes no field.
    """
    if not _BEGINS.match(text):
        return None
    text = text.rstrip()
    if not _PAIRS.fullmatch(text):
        return None
    pairs = _PAIR.findall(text)
    fields: dict[str, str] = {}
    keeps = False
    for name, value in pairs:
        if value[-1:] == ",":
            return None
        if name in fields:
            keeps = True
        elif value[:1] == '"':
            inner = value[1:-1]
            if inner:
                fields[name] = _ESCAPE.sub(r"\1", inner) if "\\" in inner else inner
        elif value:
            fields[name] = value
    return (fields, keeps) if len(pairs) >= FEWEST_PAIRS else None
