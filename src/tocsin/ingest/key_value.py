"""A line that is nothing but ``key=value`` pairs (logfmt, FortiGate and its kin) into fields."""

import re

FEWEST_PAIRS = 3
"""With fewer it may be a sentence that happens to hold an equals sign."""
_BEGINS = re.compile(r'[A-Za-z_@][\w.\-/@]{0,99}=(?:"|[^\s=])')
_PAIR = re.compile(
    r'([A-Za-z_@][\w.\-/@]{0,99})=("(?:[^"\\]|\\.)*+"|[^\s"][^\s"]*+|)(?:[ \t]+|$)', re.DOTALL
)
_ESCAPE = re.compile(r'\\(["\\])')


def read_pairs(text: str) -> tuple[dict[str, str], bool] | None:
    """The pairs and whether the bytes must be kept because a key repeats.

    Values are text, out of their quotes. None when anything in the text is no pair: nothing of
    it may be lost. An empty value makes no field.
    """
    if not _BEGINS.match(text):
        return None
    fields: dict[str, str] = {}
    keeps = False
    text = text.rstrip()
    at = count = 0
    while at < len(text):
        found = _PAIR.match(text, at)
        if found is None:
            return None
        name, value = found.groups()
        if value[-1:] == ",":
            return None
        if value[:1] == '"':
            value = value[1:-1]
            if "\\" in value:
                value = _ESCAPE.sub(r"\1", value)
        if name in fields:
            keeps = True
        elif value:
            fields[name] = value
        count += 1
        at = found.end()
    return (fields, keeps) if count >= FEWEST_PAIRS else None
