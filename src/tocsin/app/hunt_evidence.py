"""Events that stateful rules look at, kept on disk until all of a hunt's files are read.

Files come in any order and their times interleave, so correlations are worked out at the end,
over everything in order of time.
"""

import mmap
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detect.engine import Hit
from tocsin.detect.hunt import Place, record_id_of
from tocsin.detect.ruleset import RuleSet
from tocsin.model.event import EventBatch
from tocsin.model.lane import Lane

TURN_ROWS = 20_000
_LENGTH_BYTES = 4
_SEPARATOR = "\n"


@dataclass(frozen=True, slots=True)
class Witnessed:
    """One event of a correlation: its id and where it was read."""

    event_id: str
    file: str
    record_id: str


def packed(batch: EventBatch, hits: Sequence[Hit], place_of: Callable[[str], Place]) -> bytes:
    """The events of ``hits`` and who recognized them, as bytes another process can read."""
    rows = sorted({row for hit in hits for row in hit.rows})
    place = {row: at for at, row in enumerate(rows)}
    taken = pa.array(rows, pa.int64())
    ids = batch.event_ids.take(taken).to_pylist()
    names = [
        _SEPARATOR.join((event_id, record_id_of(event), str(number), file))
        for event_id, event in zip(ids, batch.native_rows(rows), strict=True)
        for file, number in [place_of(event_id)]
    ]
    head = {
        "lane": batch.lane,
        "tenant": batch.tenant,
        "hits": [(hit.rule.id, [place[row] for row in hit.rows]) for hit in hits],
    }
    columns = {
        "id": pa.array(names, pa.string()),
        "time": batch.times.take(taken),
        "source": batch.sources.take(taken),
        "class_uid": batch.ocsf.column("class_uid").take(taken),
        "native": batch.native.take(taken).to_struct_array(),
    }
    told = orjson.dumps(head)
    sink = pa.BufferOutputStream()
    whole = pa.RecordBatch.from_pydict(columns)
    with pa.ipc.new_stream(sink, whole.schema) as stream:
        stream.write_batch(whole)
    body: bytes = sink.getvalue().to_pybytes()
    return len(told).to_bytes(_LENGTH_BYTES, "big") + told + body


def witnessed(carried_id: str) -> Witnessed:
    """What the id of a replayed event carries."""
    event_id, record_id, number, rest = carried_id.split(_SEPARATOR, 3)
    file, _, before = rest.rpartition(_SEPARATOR)
    return Witnessed(event_id, file, record_id or str(int(number) + int(before)))


class Evidence:
    """Packed events in a temporary file, given back in order of time; memory: 16 bytes each."""

    def __init__(self, ruleset: RuleSet) -> None:
        self._rules = {found.rule.id: found.rule for found in ruleset.rules}
        self._file = tempfile.TemporaryFile(prefix="tocsin-hunt-")  # noqa: SIM115 (closed with the whole)
        self._blobs: list[tuple[int, int, int]] = []
        self._times: list[np.ndarray[Any, np.dtype[np.int64]]] = []
        self._size = 0

    def __len__(self) -> int:
        return sum(len(times) for times in self._times)

    def add(self, blob: bytes, before: int = 0) -> None:
        """``before`` records of the file precede the slice it was read from."""
        self._blobs.append((self._size, len(blob), before))
        self._file.write(blob)
        self._size += len(blob)
        _, whole = _opened(memoryview(blob))
        self._times.append(whole.column("time").cast(pa.int64()).to_numpy(zero_copy_only=False))

    def turns(self) -> Iterator[list[tuple[EventBatch, list[Hit]]]]:
        """All events in order of time, some thousands a turn, one batch a piece of evidence."""
        if not self._blobs:
            return
        self._file.flush()
        times = np.concatenate(self._times)
        sizes = [len(of_blob) for of_blob in self._times]
        blobs = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        rows = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes])
        order = np.argsort(times, kind="stable")
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            for start in range(0, len(order), TURN_ROWS):
                chosen = order[start : start + TURN_ROWS]
                yield [
                    self._events(mapped, blob, rows[chosen[blobs[chosen] == blob]])
                    for blob in np.unique(blobs[chosen]).tolist()
                ]

    def close(self) -> None:
        self._file.close()

    def _events(
        self, mapped: mmap.mmap, blob: int, rows: "np.ndarray[Any, np.dtype[np.int32]]"
    ) -> tuple[EventBatch, list[Hit]]:
        at, size, before = self._blobs[blob]
        head, whole = _opened(memoryview(mapped[at : at + size]))
        part = whole.take(pa.array(rows, pa.int64()))
        place = {row: at for at, row in enumerate(rows.tolist())}
        hits = [
            Hit(self._rules[rule_id], tuple(sorted(place[row] for row in found if row in place)))
            for rule_id, found in head["hits"]
        ]
        lane: dict[str, Any] = head["lane"]
        batch = EventBatch(
            lane=Lane(
                lane["connector"],
                lane["shape"],
                lane["product"],
                tuple(lane["categories"]),
                tuple(lane["services"]),
            ),
            sources=part.column("source"),
            tenant=head["tenant"],
            event_ids=pc.binary_join_element_wise(part.column("id"), str(before), _SEPARATOR),
            times=part.column("time"),
            ingested_at=part.column("time"),
            native=pa.RecordBatch.from_struct_array(part.column("native")),
            ocsf=part.select(["class_uid"]),
            raw=pa.nulls(len(part), pa.binary()),
        )
        return batch, [hit for hit in hits if hit.rows]


def _opened(blob: memoryview) -> tuple[dict[str, Any], pa.RecordBatch]:
    length = int.from_bytes(blob[:_LENGTH_BYTES], "big")
    body = _LENGTH_BYTES + length
    head = orjson.loads(blob[_LENGTH_BYTES:body])
    with pa.ipc.open_stream(blob[body:]) as stream:
        return head, stream.read_next_batch()
