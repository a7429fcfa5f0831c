r"""Sigma's wildcards: ``*`` any run, ``?`` one character, ``\`` takes their meaning away."""

import re

MANY = object()
ONE = object()

Piece = str | object


def write(pieces: list[Piece]) -> str:
    """The pattern text of literal pieces, ``MANY`` and ``ONE``."""
    written = []
    for piece in pieces:
        if isinstance(piece, str):
            written.append(re.sub(r"([*?\\])", r"\\\1", piece))
        else:
            written.append("*" if piece is MANY else "?")
    return "".join(written)


def read(pattern: str) -> list[Piece]:
    """The pieces ``write`` made ``pattern`` from."""
    pieces: list[Piece] = []
    literal: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            literal.append(next(characters, "\\"))
        elif character in "*?":
            if literal:
                pieces.append("".join(literal))
                literal = []
            pieces.append(MANY if character == "*" else ONE)
        else:
            literal.append(character)
    if literal:
        pieces.append("".join(literal))
    return pieces


def to_regex(pattern: str) -> str:
    """The RE2 expression that matches whole texts like ``pattern``."""
    parts = [
        re.escape(piece) if isinstance(piece, str) else (".*" if piece is MANY else ".")
        for piece in read(pattern)
    ]
    return f"(?s)\\A{''.join(parts)}\\z"


def matches(text: str, pieces: list[Piece]) -> bool:
    """Whether the whole text is like the pieces; goes back only to the last ``*``: no blow-up."""
    steps = [step for piece in pieces for step in (piece if isinstance(piece, str) else [piece])]
    at = step = 0
    star, resume = -1, 0
    while at < len(text):
        if step < len(steps) and steps[step] is MANY:
            star, resume = step, at
            step += 1
        elif step < len(steps) and (steps[step] is ONE or steps[step] == text[at]):
            step += 1
            at += 1
        elif star >= 0:
            resume += 1
            step, at = star + 1, resume
        else:
            return False
    return all(rest is MANY for rest in steps[step:])


def longest_literal(pattern: str) -> str:
    """The longest text every match contains, empty when there is none."""
    return max((piece for piece in read(pattern) if isinstance(piece, str)), key=len, default="")
