"""Text made of fields: ``{TargetDomainName}/{TargetUserName}``."""

import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.normalize.ocsf_types import to_text

_FIELD = re.compile(r"\{([^{}]+)\}")


def compile_template(template: str, missing: str | None) -> Callable[[Any], pa.Array | None]:
    """A function from fields to text; null where a field is, unless ``missing`` stands in."""
    pieces = _FIELD.split(template)  # text, field, text, field, … text

    def compute(fields: Any) -> pa.Array | None:
        parts: list[pa.Array | pa.Scalar] = []
        for index, piece in enumerate(pieces):
            if index % 2 == 0:
                if piece:
                    parts.append(pa.scalar(piece))
                continue
            array = fields.get(piece)
            if array is None or pa.types.is_nested(array.type):
                if missing is None:
                    return None
                parts.append(pa.scalar(missing))
                continue
            text = to_text(array)
            parts.append(text if missing is None else pc.fill_null(text, missing))
        joined = pc.binary_join_element_wise(*parts, "")
        if missing == "":
            joined = pc.utf8_trim_whitespace(joined)
        return joined if isinstance(joined, pa.Array) else pa.repeat(joined, len(fields))

    return compute
