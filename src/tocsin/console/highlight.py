"""Marks up YAML for reading: lines of (kind, text); never HTML, so the page escapes every part."""

import re

_KEY = re.compile(r"^(\s*(?:-\s+)*)([^\s#'\"\[\]{}][^#'\"]*?|'[^']*'|\"[^\"]*\")(:)(?=\s|$)(.*)$")
_LIST = re.compile(r"^(\s*(?:-\s+)+)(.*)$")
_NUMBER = re.compile(r"^-?\d+(?:\.\d+)?$|^(?:true|false|null|yes|no|~)$", re.IGNORECASE)
_BLOCK = re.compile(r"^[|>][+-]?\d?\s*$")

Piece = tuple[str, str]


def yaml_lines(text: str) -> list[list[Piece]]:
    """Each line as pieces ``(kind, text)``; kinds: key, mark, string, number, comment, plain."""
    lines: list[list[Piece]] = []
    block_indent: int | None = None
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if block_indent is not None:
            if not line.strip() or indent > block_indent:
                lines.append([("string", line)])
                continue
            block_indent = None
        pieces = _line(line)
        lines.append(pieces)
        if pieces and pieces[-1][0] == "mark" and _BLOCK.match(pieces[-1][1].strip()):
            block_indent = indent
    return lines


def _line(line: str) -> list[Piece]:
    if line.lstrip().startswith("#"):
        return [("comment", line)]
    key = _KEY.match(line)
    if key:
        lead, name, colon, rest = key.groups()
        return [piece for piece in (("mark", lead), ("key", name), ("mark", colon)) if piece[1]] + (
            _value(rest)
        )
    item = _LIST.match(line)
    if item:
        return [("mark", item.group(1)), *_value(item.group(2))]
    return _value(line)


def _value(text: str) -> list[Piece]:
    body, comment = _split_comment(text)
    bare = body.strip()
    pieces: list[Piece] = []
    if bare:
        if _BLOCK.match(bare):
            kind = "mark"
        elif _NUMBER.match(bare):
            kind = "number"
        elif bare[0] in "'\"":
            kind = "string"
        else:
            kind = "plain"
        pieces.append((kind, body))
    elif body:
        pieces.append(("plain", body))
    if comment:
        pieces.append(("comment", comment))
    return pieces


def _split_comment(text: str) -> tuple[str, str]:
    quote = ""
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "#" and (at == 0 or text[at - 1].isspace()):
            return text[:at], text[at:]
    return text, ""
