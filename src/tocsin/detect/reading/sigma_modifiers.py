"""Sigma 2.1's modifiers where pySigma has them not, or not as the specification says.

``install`` puts them into pySigma's table of modifiers by name.
"""

import re
from base64 import b64encode
from typing import Final

from sigma.exceptions import SigmaValueError
from sigma.modifiers import (
    SigmaBase64Modifier,
    SigmaBase64OffsetModifier,
    SigmaCaseSensitiveModifier,
    SigmaContainsModifier,
    SigmaEndswithModifier,
    SigmaFieldReferenceModifier,
    SigmaModifier,
    SigmaStartswithModifier,
    SigmaTimestampModifier,
    SigmaUTF16BEModifier,
    SigmaUTF16Modifier,
    SigmaWideModifier,
    SigmaWindowsDashModifier,
    modifier_mapping,
    reverse_modifier_mapping,
)
from sigma.types import (
    Placeholder,
    SigmaCasedString,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    TimestampPart,
)

_DASHES: Final = ("-", "/", "\N{EN DASH}", "\N{EM DASH}", "\N{HORIZONTAL BAR}")
_DASH: Final = re.compile(rf"\B[{re.escape(''.join(_DASHES))}]\b")
_WINDASH: Final = "_windash"
_MOST_DASHES: Final = 3
_BOM: Final = "\ufeff"
_RANGES: Final = {
    TimestampPart.MINUTE: (0, 59),
    TimestampPart.HOUR: (0, 23),
    TimestampPart.DAY: (1, 31),
    TimestampPart.WEEK: (1, 53),
    TimestampPart.MONTH: (1, 12),
    TimestampPart.YEAR: (1, 9999),
}


class CasedFieldReference(SigmaFieldReference):
    """A field reference that minds letter case."""


class Cased(SigmaCaseSensitiveModifier):
    """Of texts, whole numbers and field references (``fieldref|cased``)."""

    def modify(  # type: ignore[override]
        self, val: SigmaString | SigmaNumber | SigmaFieldReference
    ) -> SigmaCasedString | CasedFieldReference:
        if isinstance(val, SigmaFieldReference):
            return CasedFieldReference(val.field, val.starts_with, val.ends_with)
        return SigmaCasedString.from_sigma_string(_as_text(val, self))


class Contains(SigmaContainsModifier):
    """Of whole numbers, too: a generic modifier (appendix: "all types of fields")."""

    def modify(
        self, val: SigmaString | SigmaNumber | SigmaRegularExpression | SigmaFieldReference
    ) -> SigmaString | SigmaRegularExpression | SigmaFieldReference:
        return super().modify(_as_text(val, self) if isinstance(val, SigmaNumber) else val)


class Startswith(SigmaStartswithModifier):
    """Of whole numbers, too."""

    def modify(
        self, val: SigmaString | SigmaNumber | SigmaRegularExpression | SigmaFieldReference
    ) -> SigmaString | SigmaRegularExpression | SigmaFieldReference:
        return super().modify(_as_text(val, self) if isinstance(val, SigmaNumber) else val)


class Endswith(SigmaEndswithModifier):
    """Of whole numbers, too."""

    def modify(
        self, val: SigmaString | SigmaNumber | SigmaRegularExpression | SigmaFieldReference
    ) -> SigmaString | SigmaRegularExpression | SigmaFieldReference:
        return super().modify(_as_text(val, self) if isinstance(val, SigmaNumber) else val)


class FieldReference(SigmaFieldReferenceModifier):
    """``cased|fieldref`` keeps minding letter case."""

    def modify(self, val: SigmaString) -> SigmaFieldReference:
        found = super().modify(val)
        return CasedFieldReference(found.field) if isinstance(val, SigmaCasedString) else found


class Windash(SigmaWindowsDashModifier):
    """All five dashes of the appendix stand for each other; ``cased`` before it is kept."""

    def modify(self, val: SigmaString) -> SigmaExpansion:
        marked = val.replace_with_placeholder(_DASH, _WINDASH)
        dashes = sum(isinstance(part, Placeholder) and part.name == _WINDASH for part in marked.s)
        if dashes > _MOST_DASHES:
            raise SigmaValueError(
                f"windash takes at most {_MOST_DASHES} dashes in one value (5 ways each): "
                "split the value into several with |all",
                source=self.source,
            )
        several = marked.replace_placeholders(
            lambda one: iter(_DASHES) if one.name == _WINDASH else iter([one])
        )
        if isinstance(val, SigmaCasedString):
            return SigmaExpansion([SigmaCasedString.from_sigma_string(one) for one in several])
        return SigmaExpansion(list(several))


class Utf16le(SigmaWideModifier):
    """Bytes that are no text of their own (of letters beyond ASCII) are only good for base64."""

    def modify(self, val: SigmaString) -> SigmaString:
        return _encoded(val, "utf-16le")


class Utf16be(SigmaUTF16BEModifier):
    """Like ``utf16le`` in the other order of bytes."""

    def modify(self, val: SigmaString) -> SigmaString:
        return _encoded(val, "utf-16be")


class Utf16(SigmaUTF16Modifier):
    """Like ``utf16le`` after a byte order mark."""

    def modify(self, val: SigmaString) -> SigmaString:
        found = _encoded(val, "utf-16le")
        found.s = [_BOM, *found.s]
        return found


class Base64(SigmaBase64Modifier):
    """Of any bytes that the UTF-16 modifiers make."""

    def modify(self, val: SigmaString) -> SigmaString:
        found = SigmaString(b64encode(_bytes(val, self)).decode())
        cased = isinstance(val, SigmaCasedString)
        return SigmaCasedString.from_sigma_string(found) if cased else found


class Base64Offset(SigmaBase64OffsetModifier):
    """Of any bytes that the UTF-16 modifiers make."""

    def modify(self, val: SigmaString) -> SigmaExpansion:
        data = _bytes(val, self)
        if len(data) < 2:
            raise SigmaValueError(
                "base64offset needs at least two bytes: one has nothing of its own at some places",
                source=self.source,
            )
        shifted = [
            b64encode(shift * b" " + data)[
                self.start_offsets[shift] : self.end_offsets[(len(data) + shift) % 3]
            ].decode()
            for shift in range(3)
        ]
        kind = SigmaCasedString if isinstance(val, SigmaCasedString) else SigmaString
        return SigmaExpansion([kind(one) for one in shifted])


def _bytes(val: SigmaString, modifier: SigmaModifier) -> bytes:  # type: ignore[type-arg]
    if not all(isinstance(part, str) for part in val.s):
        raise SigmaValueError(
            "a value with wildcards or placeholders can't be encoded as base64",
            source=modifier.source,
        )
    text = "".join(part for part in val.s if isinstance(part, str))
    if Utf16 in modifier.applied_modifiers and text.startswith(_BOM):
        return b"\xff\xfe" + text[1:].encode("utf-8", "surrogateescape")
    return text.encode("utf-8", "surrogateescape")


def _encoded(val: SigmaString, encoding: str) -> SigmaString:
    found = SigmaCasedString() if isinstance(val, SigmaCasedString) else SigmaString()
    found.s = [
        part.encode(encoding).decode("utf-8", "surrogateescape") if isinstance(part, str) else part
        for part in val.s
    ]
    return found


def _as_text(val: SigmaString | SigmaNumber, modifier: SigmaModifier) -> SigmaString:  # type: ignore[type-arg]
    if isinstance(val, SigmaString):
        return val
    if not isinstance(val.number, int):
        raise SigmaValueError(
            f"{val.number} is a number with a fraction: write it as text, in quotes",
            source=modifier.source,
        )
    return SigmaString(str(val.number))


def _time_part(unit: TimestampPart) -> type[SigmaTimestampModifier]:
    least, most = _RANGES[unit]

    class TimePart(SigmaTimestampModifier):
        time_part_unit = unit

        def modify(self, val: SigmaNumber) -> SigmaTimestampPart:
            if not isinstance(val.number, int):
                raise SigmaValueError(
                    f"{unit.name.lower()} is a whole number, not {val.number}", source=self.source
                )
            return SigmaTimestampPart(unit, val.number)

    TimePart.__name__ = unit.name.capitalize()
    TimePart.__doc__ = f"A whole number, {least} to {most}."
    return TimePart


def out_of_range(value: SigmaTimestampPart) -> str:
    """Why no time has this part, empty when some have."""
    least, most = _RANGES[value.timestamp_part]
    if least <= value.number <= most:
        return ""
    return f"{value.timestamp_part.name.lower()} is {least} to {most}, never {value.number}"


_OWN: Final[dict[str, type[SigmaModifier]]] = {  # type: ignore[type-arg]
    "cased": Cased,
    "contains": Contains,
    "startswith": Startswith,
    "endswith": Endswith,
    "fieldref": FieldReference,
    "windash": Windash,
    "utf16le": Utf16le,
    "wide": Utf16le,
    "utf16be": Utf16be,
    "utf16": Utf16,
    "base64": Base64,
    "base64offset": Base64Offset,
    **{unit.name.lower(): _time_part(unit) for unit in TimestampPart},
}


def install() -> None:
    """Let pySigma read rules with these modifiers, from now on and everywhere."""
    modifier_mapping.update(_OWN)
    reverse_modifier_mapping.update((kind.__name__, name) for name, kind in _OWN.items())
