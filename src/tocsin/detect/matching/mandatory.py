"""Text that every match of a regular expression must contain, for use as a witness."""

import re

_CLASSES = frozenset("dDwWsSbBAzZpPxQEaC0123456789")
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}
_REPEATS = "*+?{"
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_READS_ON = re.compile(r"\(\?[a-zA-Z]*x")
"""White space is no text: expressions so written are not looked into."""


def mandatory_literal(pattern: str) -> str:
    """The longest ASCII text, lower case, that every match contains; empty when unsure.

    Looks only at what stands outside of groups, classes and alternatives: less than there is,
    but never text that a match may lack.
    """
    if pattern.startswith("(?"):  # leading flags such as (?i) or (?is); lower case covers i
        flags, closed, rest = pattern[2:].partition(")")
        if closed and flags and set(flags) <= set("imsU"):
            pattern = rest
    if _is_strange(pattern):
        return ""
    runs: list[str] = []
    run = ""
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "|":
            return ""  # an alternative at the top: either side may be all there is
        literal, at = _one(pattern, at)
        if literal and pattern[at : at + 1] in _REPEATS and at < len(pattern):
            keeps = pattern[at] == "+"
            run = run + literal if keeps else run
            runs.append(run)
            run, at = "", _after_repeat(pattern, at)
        elif literal:
            run += literal
        else:
            runs.append(run)
            run = ""
            at = _after_repeat(pattern, at)
    runs.append(run)
    return max(runs, key=len).lower()


def _is_strange(pattern: str) -> bool:
    """True when more may be meant than is read here."""
    letters = {found.group(1) for found in _ESCAPE.finditer(pattern) if found.group(1).isalpha()}
    return not letters <= (_CLASSES | _CONTROLS.keys()) or bool(_READS_ON.search(pattern))


def _one(pattern: str, at: int) -> tuple[str, int]:
    """The literal character at ``at`` (empty when it isn't one) and where the next item begins."""
    character = pattern[at]
    if character == "\\":
        escaped = pattern[at + 1 : at + 2]
        if not escaped or escaped in _CLASSES or not escaped.isascii():
            return "", _after_class_escape(pattern, at + 1)
        literal = "" if escaped.isalnum() else escaped
        return _CONTROLS.get(escaped, literal), at + 2
    if character == "[":
        return "", _after_set(pattern, at)
    if character == "(":
        return "", _after_group(pattern, at)
    if character in ".^$)*+?{":
        return "", at + 1
    return (character if character.isascii() else ""), at + 1


def _after_class_escape(pattern: str, at: int) -> int:
    kind = pattern[at : at + 1]
    if kind in ("p", "P", "x") and pattern[at + 1 : at + 2] == "{":
        end = pattern.find("}", at)
        return len(pattern) if end < 0 else end + 1
    if kind == "x":
        return at + 3
    if kind in ("p", "P"):
        return at + 2
    if kind == "Q":
        return len(pattern)  # quoted text: not looked into
    if kind.isdecimal():
        while pattern[at : at + 1].isdecimal():
            at += 1
        return at
    return at + 1


def _after_set(pattern: str, at: int) -> int:
    at += 1
    if pattern[at : at + 1] == "^":
        at += 1
    if pattern[at : at + 1] == "]":
        at += 1
    while at < len(pattern) and pattern[at] != "]":
        if pattern[at] == "[" and pattern[at + 1 : at + 2] == ":":
            end = pattern.find(":]", at)
            at = len(pattern) if end < 0 else end + 2
        else:
            at += 2 if pattern[at] == "\\" else 1
    return at + 1


def _after_group(pattern: str, at: int) -> int:
    depth = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            at += 2
            continue
        if character == "[":
            at = _after_set(pattern, at)
            continue
        depth += (character == "(") - (character == ")")
        at += 1
        if depth == 0:
            break
    return at


def _after_repeat(pattern: str, at: int) -> int:
    while at < len(pattern) and pattern[at] in _REPEATS:
        if pattern[at] == "{":
            end = pattern.find("}", at)
            if end < 0:
                return at + 1
            at = end
        at += 1
    return at
