"""Every connector's mapping, fed with mutated samples of its own, up to the segment on disk."""

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.fuzz.decoders import NOW
from tests.fuzz.samples import lines_of
from tocsin.connectors.catalog import mapping_paths
from tocsin.ingest.decode import decode
from tocsin.model.record import Framing, Origin, RawBatch
from tocsin.normalize.check import sample_files
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.normalizer import Normalizer
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state.sqlite_state import SqliteState

_HEADED = {".tsv": Framing.ZEEK_TSV, ".w3c": Framing.W3C}
_STORED_EVERY = 5
"""Writing a segment is dear: one call in so many does, with and without a hint."""


@dataclass(slots=True)
class MappingTarget:
    """``check`` raises when a record gets lost between its bytes and its event."""

    name: str
    connector: str
    seeds: Sequence[bytes]
    heads: Sequence[tuple[bytes, Framing]]
    calls: int = 0

    def check(self, cases: Sequence[bytes]) -> None:
        self.calls += 1
        for head, framing in self.heads:
            payload = b"\n".join([*([head] if head else []), *cases])
            decoded = decode(RawBatch("fuzz", payload, NOW, framing))
            hint = self.connector if self.calls % 2 else None
            origin = Origin("fuzz", NOW, "fuzz", self.calls, connector=hint)
            batches = normalizer().normalize_all([(decoded, origin)])
            assert sum(len(batch) for batch in batches) == len(decoded.records)
            if self.calls % _STORED_EVERY == 0:
                segment = _store().write(batches)
                stored = segment.rows if segment is not None else 0
                assert stored == len(decoded.records)
                for file in _scratch().rglob("*.parquet"):
                    file.unlink()


def mapping_targets() -> list[MappingTarget]:
    return [_target(path.parent) for path in mapping_paths()]


def _target(folder: Path) -> MappingTarget:
    seeds: list[bytes] = []
    heads: list[tuple[bytes, Framing]] = []
    for path in sample_files(folder):
        lines = lines_of(path)
        seeds += [line for line in lines if not line.startswith(b"#")]
        if path.suffix in _HEADED:
            head = b"\n".join(line for line in lines if line.startswith(b"#")) or lines[0]
            heads.append((head, _HEADED[path.suffix]))
    return MappingTarget(
        f"mapping-{folder.name}", folder.name, seeds, [(b"", Framing.LINES), *heads]
    )


@cache
def normalizer() -> Normalizer:
    return Normalizer([load_mapping(path) for path in mapping_paths()])


@cache
def _scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tocsin-fuzz-"))
    atexit.register(shutil.rmtree, folder)
    return folder


@cache
def _store() -> ParquetEvents:
    state = SqliteState(_scratch() / "state.sqlite")
    events = ParquetEvents(_scratch() / "events", state)
    atexit.register(state.close)
    atexit.register(events.close)
    return events
