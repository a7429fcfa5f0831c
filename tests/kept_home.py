"""A data folder with something of everything in it: events, spool, blobs, runs, rules, a key."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from tests.store.conftest import _make_batch
from tocsin.model.record import Framing, RawBatch
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.spool.file_spool import FileSpool
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.engines.vaults.folder_blobs import FolderBlobs
from tocsin.store.ports import Segment

LIMIT_BYTES = 1 << 20


class KeptHome:
    """The stores of a data folder, open as a server has them; a context manager that closes them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.state = SqliteState(folder / "state.sqlite")
        self.events = ParquetEvents(folder / "events", self.state, merge_at=3)
        self.spool = FileSpool(folder / "spool", self.state, LIMIT_BYTES)
        self.blobs = FolderBlobs(folder / "blobs")

    def fill(self, segments: int = 2) -> "KeptHome":
        for position in range(segments):
            self.store(position)
        self.receive(b"not stored yet")
        self.blobs.put(b"evidence")
        rules = self.folder / "rules"
        rules.mkdir()
        (rules / "own.yml").write_text("title: One's own\n")
        (rules / "latest").symlink_to("own.yml")
        key = self.folder / "signing-key.pem"
        key.write_text("a key")
        key.chmod(0o600)
        (self.folder / "cache").mkdir()
        (self.folder / "cache" / "made-again").write_text("x")
        (self.folder / "runs").mkdir()
        (self.folder / "runs" / "executor-id").write_text("executor-1")
        with closing(sqlite3.connect(self.folder / "runs" / "runs.sqlite")) as runs:
            runs.execute("CREATE TABLE steps (name)")
            runs.execute("INSERT INTO steps VALUES ('contain')")
            runs.commit()
        return self

    def store(self, position: int, rows: int = 4) -> Segment:
        native = [{"native": {"n": position}, "at": 60 * position + row} for row in range(rows)]
        segment = self.events.write([_make_batch(native, position=position)])
        assert segment is not None
        with self.state.begin() as tx:
            self.events.publish(tx, segment)
        return segment

    def receive(self, payload: bytes) -> int:
        batch = RawBatch("sensor", payload, datetime.now(UTC), Framing.LINES, place="test")
        return self.spool.append([batch])

    def numbers(self) -> list[int]:
        """What every stored event holds, sorted."""
        found = self.events.sql("select cast(native.n as bigint) from events", 10_000)[1]
        return sorted(row[0] for row in found)

    def waiting(self) -> list[bytes]:
        """What is acknowledged and not stored."""
        return [
            entry.batch.payload for entry in self.spool.read(self.spool.committed(), LIMIT_BYTES)
        ]

    def close(self) -> None:
        self.spool.close()
        self.events.close()
        self.state.close()

    def __enter__(self) -> "KeptHome":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
