"""An event batch: events of one lane as Arrow columns, native beside OCSF."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from tocsin.model.lane import Lane


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events of one lane and tenant, all columns of equal length.

    - ``sources``: string, the source each event came from.  ``event_ids``: string, UUIDv7.
       ``times``, ``ingested_at``: timestamp[us, UTC].
    - ``native``: the fields as the source names them, one column a top-level field; nested
      objects are structs, lists are lists. No column is all null.
    - ``ocsf``: flat columns named by dotted OCSF path (``actor.user.name``), always with
      ``class_uid`` (int32), ``activity_id``, ``category_uid``, ``severity_id``, ``type_uid``
      (int64).
    - ``raw``: binary, null where the native fields can rebuild the record.
    - ``left_out``: names of native fields no column was made of, as nobody asked for them.
    """

    lane: Lane
    sources: pa.Array
    tenant: str
    event_ids: pa.Array
    times: pa.Array
    ingested_at: pa.Array
    native: pa.RecordBatch
    ocsf: pa.RecordBatch
    raw: pa.Array
    left_out: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.event_ids)

    def native_rows(self, rows: Sequence[int]) -> list[dict[str, object]]:
        """The native fields of the given rows as plain dicts, null fields left out."""
        taken = self.native.take(pa.array(rows, pa.int64())).to_pylist()
        return [_without_nulls(row) for row in taken]

    def ocsf_rows(self, rows: Sequence[int]) -> list[dict[str, object]]:
        """The OCSF columns (dotted names) of the given rows as plain dicts, nulls left out."""
        taken = self.ocsf.take(pa.array(rows, pa.int64())).to_pylist()
        return [{name: value for name, value in row.items() if value is not None} for row in taken]


def _without_nulls(value: dict[str, object]) -> dict[str, object]:
    return {
        name: _without_nulls(inner) if isinstance(inner, dict) else inner
        for name, inner in value.items()
        if inner is not None
    }
