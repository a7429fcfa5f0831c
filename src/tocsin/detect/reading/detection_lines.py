"""Finding the line of what pySigma refused in a rule document."""

from typing import Any

from sigma.exceptions import (
    SigmaConditionError,
    SigmaDetectionError,
    SigmaError,
    SigmaIdentifierError,
    SigmaLevelError,
    SigmaLogsourceError,
    SigmaStatusError,
    SigmaTagError,
    SigmaTitleError,
)
from sigma.rule import SigmaDetectionItem

from tocsin.detect.reading.quiet_re2 import POLICY
from tocsin.detect.reading.rule_document import RuleDocument

_PLACES = {
    SigmaConditionError: "condition",
    SigmaLogsourceError: "logsource",
    SigmaLevelError: "level",
    SigmaStatusError: "status",
    SigmaTagError: "tags",
    SigmaIdentifierError: "id",
    SigmaTitleError: "title",
    SigmaDetectionError: "",
}
_BELOW_DETECTION = frozenset({"condition", ""})


def line_of(error: SigmaError, document: RuleDocument, detection: str = "detection") -> int:
    """The line of the key that ``error`` is about; ``detection`` names the map of selections."""
    for kind, place in _PLACES.items():
        if isinstance(error, kind):
            below = place in _BELOW_DETECTION
            near = f"{detection}/{place}".strip("/") if below else place
            return document.line_near(near, detection if below else near)
    failing = _failing_item(document.content.get(detection), (detection,))
    return document.lines.get(failing, document.line) if failing else document.line


def _failing_item(value: object, path: tuple[str, ...]) -> tuple[str, ...] | None:
    """The path of the first detection item that can't be read."""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = (*path, str(key))
            if isinstance(inner, dict) or (
                isinstance(inner, list) and any(isinstance(one, dict) for one in inner)
            ):
                failing = _failing_item(inner, here)
                if failing:
                    return failing
            elif here[1:] not in (("condition",), ("rules",)) and not _is_readable(key, inner):
                return here
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            failing = _failing_item(inner, (*path, str(at)))
            if failing:
                return failing
    return path if len(path) == 1 else None


def _is_readable(key: str, value: Any) -> bool:
    try:
        SigmaDetectionItem.from_mapping(key, value, policy=POLICY)
    except (SigmaError, AttributeError, TypeError):
        return False
    return True
