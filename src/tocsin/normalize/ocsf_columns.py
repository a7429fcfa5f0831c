"""The columns of records that are OCSF already: each attribute by its dotted path."""

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.model.field_path import column_at
from tocsin.normalize.ocsf_object import ARRAYS_OF_OBJECTS
from tocsin.normalize.ocsf_types import fitting

MOST_COLUMNS = 600
"""What a record has beyond these stays in its native fields."""


def ocsf_columns(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    """Plain attributes and lists of them; of arrays of objects those OCSF columns can hold."""
    columns: dict[str, pa.Array] = {}
    waiting = list(zip(batch.schema.names, batch.columns, strict=True))
    while waiting and len(columns) < MOST_COLUMNS:
        path, array = waiting.pop(0)
        kind = array.type
        if pa.types.is_struct(kind):
            waiting += [
                (f"{path}.{kind.field(at).name}", pc.struct_field(array, [at]))
                for at in range(kind.num_fields)
            ]
        elif pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
            if path.rpartition(".")[2] in ARRAYS_OF_OBJECTS:
                names = [kind.value_type.field(at).name for at in range(kind.value_type.num_fields)]
                members = {f"{path}.{name}": column_at(batch, f"{path}.{name}") for name in names}
                waiting += [(name, found) for name, found in members.items() if found is not None]
        else:
            fitted = fitting(path)(array)
            if fitted.null_count < len(fitted):
                columns[path] = fitted
    return columns
