"""Text made of fields: ``{TargetDomainName}/{TargetUserName}``, parts of it only where they are."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.normalize.ocsf_types import meaningful, to_text

_PIECE = re.compile(r"\\[\[\]]|[\[\]]|\{[^{}]+\}|[^\[\]{}\\]+|[{}\\]")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str


@dataclass(slots=True)
class _Optional:
    """What is left out where a field in it has no value."""

    pieces: list["_Piece"] = field(default_factory=list)


_Piece = str | _Field | _Optional


def parse_template(template: str) -> list[_Piece]:
    """The pieces of a template: text, fields, and in square brackets what may be left out.

    A bracket after a backslash is written. Raises ValueError where they don't match.
    """
    whole = _Optional()
    opened = [whole]
    for word in _PIECE.findall(template):
        if word == "[":
            inner = _Optional()
            opened[-1].pieces.append(inner)
            opened.append(inner)
        elif word == "]":
            if len(opened) == 1:
                raise ValueError(f"the template {template!r} closes a bracket that is not open")
            opened.pop()
        elif len(word) > 2 and word[0] == "{":
            opened[-1].pieces.append(_Field(word[1:-1]))
        else:
            opened[-1].pieces.append(word[-1] if word in (r"\[", r"\]") else word)
    if len(opened) > 1:
        raise ValueError(f"the template {template!r} has a bracket that is not closed")
    return whole.pieces


def fields_of(template: str) -> list[str]:
    """The fields of a template in their order, each once."""
    names: dict[str, None] = {}

    def gather(pieces: list[_Piece]) -> None:
        for piece in pieces:
            if isinstance(piece, _Field):
                names[piece.name] = None
            elif isinstance(piece, _Optional):
                gather(piece.pieces)

    gather(parse_template(template))
    return list(names)


def compile_template(template: str, missing: str | None) -> Callable[[Any], pa.Array | None]:
    """A function from fields to text; null where a field is, unless ``missing`` stands in.

    A part in brackets is left out where a field in it has no value, be it null, empty or ``-``.
    Blanks that are then at an end go; where nothing is left the text is null.
    """
    pieces = parse_template(template)

    def compute(fields: Any) -> pa.Array | None:
        filled = _Filling(fields, missing)
        parts = filled.parts(pieces, is_optional=False)
        if not parts:
            return None
        joined = pc.binary_join_element_wise(*parts, "")
        if missing == "" or filled.has_gaps:
            joined = pc.utf8_trim_whitespace(joined)
        text = joined if isinstance(joined, pa.Array) else pa.repeat(joined, len(fields))
        return meaningful(text) if filled.has_gaps else text

    return compute


class _Filling:
    """A template's pieces filled from the fields of some records."""

    def __init__(self, fields: Any, missing: str | None) -> None:
        self._fields, self._missing = fields, missing
        self.has_gaps = False

    def parts(
        self, pieces: list[_Piece], *, is_optional: bool
    ) -> list[pa.Array | pa.Scalar] | None:
        """What is to be joined; None where a field that must be there is in no record."""
        parts: list[pa.Array | pa.Scalar] = []
        for piece in pieces:
            if isinstance(piece, str):
                parts.append(pa.scalar(piece))
            elif isinstance(piece, _Optional):
                parts += self._optional(piece)
            else:
                text = self._text(piece.name, is_optional=is_optional)
                if text is None:
                    return None
                parts.append(text)
        return parts

    def _optional(self, part: _Optional) -> list[pa.Array | pa.Scalar]:
        inner = self.parts(part.pieces, is_optional=True)
        if inner is None:
            self.has_gaps = True
            return []
        if not any(isinstance(one, pa.Array) and one.null_count for one in inner):
            return inner
        self.has_gaps = True
        return [pc.fill_null(pc.binary_join_element_wise(*inner, ""), "")]

    def _text(self, name: str, *, is_optional: bool) -> pa.Array | pa.Scalar | None:
        array = self._fields.get(name)
        is_there = array is not None and not pa.types.is_nested(array.type)
        if is_optional:
            return meaningful(to_text(array)) if is_there else None
        if self._missing is None:
            return to_text(array) if is_there else None
        return pc.fill_null(to_text(array), self._missing) if is_there else pa.scalar(self._missing)
