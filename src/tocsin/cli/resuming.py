"""What ``tocsin ingest --resume`` keeps in the data folder, and what was in flight at its end."""

from pathlib import Path

from tocsin.ingest.cutting.cutting import Cut
from tocsin.ingest.files.taken_files import TakenFiles
from tocsin.ingest.sources.seen_ids import key_of
from tocsin.model.record import RawBatch
from tocsin.store.ports import WorkQueue

_LOOKED_THROUGH_BYTES = 1 << 40


def taken_files(home: Path) -> TakenFiles:
    """What was taken of which files into this data folder."""
    return TakenFiles(home / "taken-files.jsonl")


def once_key(batch: RawBatch) -> str:
    """What a server knows a batch by that may come again."""
    name = f"{batch.place}\0{batch.first_ordinal}\0{batch.source}"
    return key_of(name.encode(), batch.payload).hex()


class InFlight:
    """Whether a batch reached the spool in the moment the run before was ended.

    ``spool`` None: a server takes it, and knows itself.
    """

    def __init__(self, spool: WorkQueue | None, after: int) -> None:
        self._spool = spool
        self._after = after

    def holds(self, cut: Cut) -> bool:
        if self._spool is None or not isinstance(cut, RawBatch):
            return False
        wanted = once_key(cut)
        waiting = self._spool.read(self._after, _LOOKED_THROUGH_BYTES)
        return any(
            entry.batch.first_ordinal == cut.first_ordinal and once_key(entry.batch) == wanted
            for entry in waiting
        )

    def position(self) -> int:
        return self._after if self._spool is None else self._spool.committed()
