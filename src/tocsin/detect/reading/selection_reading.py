"""Reading one selection that stands alone, as the fields of an exception do."""

from collections.abc import Mapping
from typing import Any

from sigma.rule import SigmaRule

from tocsin.detect.errors import Unsupported
from tocsin.detect.reading.condition import compile_condition
from tocsin.detect.reading.detection_shape import shaped
from tocsin.detect.reading.quiet_re2 import POLICY
from tocsin.detect.reading.rule_document import RuleDocument
from tocsin.detect.rules.matcher import Node
from tocsin.detect.rules.overlay import Scalar
from tocsin.model.lane import LogSource


def selection_condition(fields: Mapping[str, tuple[Scalar, ...]], logsource: LogSource) -> Node:
    """The condition that all ``fields`` hold, by the code that reads rules.

    Raises ``Unsupported`` or ``SigmaError``.
    """
    selection = {
        name: values[0] if len(values) == 1 else list(values) for name, values in fields.items()
    }
    source = {
        "product": logsource.product,
        "category": logsource.category,
        "service": logsource.service,
    }
    content: dict[str, Any] = {
        "title": "exception",
        "logsource": {key: value for key, value in source.items() if value} or {"product": "any"},
        "detection": {"exception": selection, "condition": "exception"},
    }
    document = RuleDocument(content, "", 1, None)
    content["detection"] = shaped(content["detection"], document, "detection")
    parsed = SigmaRule.from_dict(content, collect_errors=True, policy=POLICY)
    if parsed.errors:
        raise parsed.errors[0]
    try:
        return compile_condition(parsed)
    except RecursionError as error:
        raise Unsupported("the exception goes too deep") from error
