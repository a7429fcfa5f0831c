"""Types of an answer's columns, as engines call them, in Arrow's words."""

import re

import pyarrow as pa

_WRAPPED = re.compile(r"(?:Nullable|LowCardinality)\((.*)\)")
_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")
_WHOLE = pa.int64()
_MOMENT = pa.timestamp("us", "UTC")
_TYPES: tuple[tuple[str, pa.DataType], ...] = (
    (r"bool(ean)?", pa.bool_()),
    (r"(tiny|small|big)?int(eger)?|int(8|16|32|64)|u(tiny|small)?int(eger)?|uint(8|16|32)", _WHOLE),
    (r"ubigint|uint64", pa.uint64()),
    (r"u?hugeint|u?int(128|256)", pa.decimal128(38, 0)),
    (r"float|double|real|float(32|64)", pa.float64()),
    (r"timestamp.*|datetime.*", _MOMENT),
    (r"date|date32", pa.date32()),
    (r"varchar|string|uuid|fixedstring.*|enum.*", pa.string()),
    (r"blob", pa.binary()),
)


def arrow_type(name: str) -> pa.DataType | None:
    """None for what is written as JSON text: lists, structs, VARIANT."""
    while wrapped := _WRAPPED.fullmatch(name):
        name = wrapped.group(1)
    plain = name.lower()
    if found := _DECIMAL.fullmatch(plain):
        precision, scale = map(int, found.groups())
        return pa.decimal128(precision, scale) if precision <= 38 else None
    return next((kind for pattern, kind in _TYPES if re.fullmatch(pattern, plain)), None)
