"""Events that stateful rules look at, kept on disk until all of a hunt's files are read.

Files come in any order and their times interleave, so correlations are worked out at the end,
over everything in order of time.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from tocsin.detect.hunt import Place, host_of, record_id_of, without_nulls
from tocsin.detect.matching.engine import Hit
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.model.event import EventBatch
from tocsin.model.lane import Lane

TURN_ROWS = 20_000
_LENGTH_BYTES = 4
_OPEN_PIECES = 128

Numbers = npt.NDArray[np.int64]
Opened = tuple[dict[str, Any], pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class Witnessed:
    """One event of a correlation and where it was read; ``native`` as its lane has it."""

    event_id: str
    time_us: int
    source: str
    host: str
    file: str
    record_id: str
    ordinal: int
    native: dict[str, object]


def packed(batch: EventBatch, hits: Sequence[Hit], place_of: Callable[[str], Place]) -> bytes:
    """The events of ``hits`` and who recognized them, as bytes another process can read."""
    rows = sorted({row for hit in hits for row in hit.rows})
    at = {row: position for position, row in enumerate(rows)}
    taken = pa.array(rows, pa.int64())
    ids = batch.event_ids.take(taken)
    places = [place_of(event_id) for event_id in ids.to_pylist()]
    head = {
        "lane": batch.lane,
        "tenant": batch.tenant,
        "hits": [(hit.rule.id, [at[row] for row in hit.rows]) for hit in hits],
    }
    whole = pa.RecordBatch.from_pydict(
        {
            "id": ids,
            "time": batch.times.take(taken),
            "source": batch.sources.take(taken),
            "file": pa.array([file for file, _ in places], pa.string()),
            "ordinal": pa.array([ordinal for _, ordinal in places], pa.int64()),
            "class_uid": batch.ocsf.column("class_uid").take(taken),
            "native": batch.native.take(taken).to_struct_array(),
        }
    )
    told = orjson.dumps(head)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, whole.schema) as stream:
        stream.write_batch(whole)
    body: bytes = sink.getvalue().to_pybytes()
    return len(told).to_bytes(_LENGTH_BYTES, "big") + told + body


class Evidence:
    """Packed events in a temporary file, given back in order of time; memory: 8 bytes each.

    Replayed events are named by their place in this evidence, in the form of a UUID.
    """

    def __init__(self, ruleset: RuleSet) -> None:
        self._rules = {found.rule.id: found.rule for found in ruleset.rules}
        self._file = tempfile.TemporaryFile(prefix="tocsin-hunt-")  # noqa: SIM115 (see close)
        self._pieces: list[tuple[int, int, int]] = []
        self._times: list[Numbers] = []
        self._firsts = [0]
        self._size = 0
        self._opened: Callable[[int], Opened] = lru_cache(_OPEN_PIECES)(self._open)

    def __len__(self) -> int:
        return self._firsts[-1]

    def add(self, piece: bytes, before: int) -> None:
        """``before`` records of its file precede the slice the piece was read from."""
        self._pieces.append((self._size, len(piece), before))
        self._file.write(piece)
        self._size += len(piece)
        _, whole = _unpacked(piece)
        self._times.append(whole.column("time").cast(pa.int64()).to_numpy(zero_copy_only=False))
        self._firsts.append(self._firsts[-1] + len(whole))

    def turns(self) -> Iterator[list[tuple[EventBatch, list[Hit]]]]:
        """All events in order of time, some thousands a turn, one batch a piece."""
        if not len(self):
            return
        self._file.flush()
        order = np.argsort(np.concatenate(self._times), kind="stable")
        firsts = np.array(self._firsts)
        for start in range(0, len(order), TURN_ROWS):
            chosen = np.sort(order[start : start + TURN_ROWS])
            pieces = np.searchsorted(firsts, chosen, "right") - 1
            yield [
                self._replayed(piece, chosen[pieces == piece] - self._firsts[piece])
                for piece in np.unique(pieces).tolist()
            ]

    def witness(self, name: str) -> Witnessed:
        """The event a replayed one stands for."""
        number = int(name.replace("-", ""), 16)
        piece = int(np.searchsorted(np.array(self._firsts), number, "right")) - 1
        _, whole = self._opened(piece)
        (row,) = whole.slice(number - self._firsts[piece], 1).to_pylist()
        native = without_nulls(row["native"])
        if not isinstance(native, dict):
            native = {}
        return Witnessed(
            event_id=row["id"],
            time_us=int(self._times[piece][number - self._firsts[piece]]),
            source=row["source"],
            host=host_of(native),
            file=row["file"],
            record_id=record_id_of(native),
            ordinal=row["ordinal"] + self._pieces[piece][2],
            native=native,
        )

    def close(self) -> None:
        self._file.close()

    def _open(self, piece: int) -> Opened:
        at, size, _ = self._pieces[piece]
        return _unpacked(os.pread(self._file.fileno(), size, at))

    def _replayed(self, piece: int, rows: Numbers) -> tuple[EventBatch, list[Hit]]:
        head, whole = self._opened(piece)
        part = whole.take(pa.array(rows))
        at = {row: position for position, row in enumerate(rows.tolist())}
        hits = [
            Hit(self._rules[rule_id], tuple(at[row] for row in found if row in at))
            for rule_id, found in head["hits"]
        ]
        first = self._firsts[piece]
        batch = EventBatch(
            lane=_lane(head["lane"]),
            sources=pa.array(["hunt"] * len(part), pa.string()),  # one clock for all files
            tenant=head["tenant"],
            event_ids=pa.array([_name(first + row) for row in rows.tolist()], pa.string()),
            times=part.column("time"),
            ingested_at=part.column("time"),
            native=pa.RecordBatch.from_struct_array(part.column("native")),
            ocsf=part.select(["class_uid"]),
            raw=pa.nulls(len(part), pa.binary()),
        )
        return batch, [hit for hit in hits if hit.rows]


def _name(number: int) -> str:
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _lane(told: dict[str, Any]) -> Lane:
    return Lane(
        connector=told["connector"],
        shape=told["shape"],
        product=told["product"],
        categories=tuple(told["categories"]),
        services=tuple(told["services"]),
    )


def _unpacked(piece: bytes) -> Opened:
    body = _LENGTH_BYTES + int.from_bytes(piece[:_LENGTH_BYTES], "big")
    with pa.ipc.open_stream(pa.py_buffer(piece).slice(body)) as stream:
        return orjson.loads(piece[_LENGTH_BYTES:body]), stream.read_next_batch()
