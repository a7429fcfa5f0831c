"""Real recordings as batches, by the file they come from."""

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tocsin.connectors.catalog import mapping_paths
from tocsin.ingest.cutting.files import read_paths
from tocsin.ingest.decode import decode
from tocsin.model.event import EventBatch
from tocsin.model.record import Origin, RawBatch
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.normalizer import Normalizer

RECEIVED = datetime(2026, 1, 1, tzinfo=UTC)


def normalizer() -> Normalizer:
    return Normalizer([load_mapping(path) for path in mapping_paths()])


def batches(file: Path, shapes: Normalizer) -> Iterator[EventBatch]:
    """The events of one file, the way files really go."""
    for cut in read_paths([file], None, RECEIVED):
        if isinstance(cut, RawBatch):
            origin = Origin(cut.source, cut.received_at, "test", 0, place=str(file))
            yield from shapes.normalize(decode(cut), origin)


def unpacked(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive, "r:xz") as packed:
        packed.extractall(folder, filter="data")
    return folder


def evtx(archive: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Every EVTX file of an archive with its name in it."""
    unpacked(archive, folder)
    for file in sorted(folder.rglob("*.evtx")):
        yield str(file.relative_to(folder)), file


def mordor(source: Path, folder: Path, only: Sequence[str] = ()) -> Iterator[tuple[str, Path]]:
    """The recordings of security-datasets unpacked, by the name of their archive."""
    for archive in sorted(source.rglob("*")):
        if only and archive.name.partition(".")[0] not in only:
            continue
        members = list(_members(archive))
        for at, (name, content) in enumerate(members):
            file = folder / f"{archive.stem}-{at}-{Path(name).name}"
            file.write_bytes(content)
            yield str(archive.relative_to(source)), file


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """The JSON files of a zip or tar.gz archive."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as packed:
            for name in packed.namelist():
                if name.endswith(".json") and not name.startswith("__MACOSX"):
                    yield name, packed.read(name)
    elif archive.name.endswith(".tar.gz"):
        content = zlib.decompressobj(wbits=31).decompress(archive.read_bytes())  # ends in a blank
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            for member in tar:
                packed_file = tar.extractfile(member) if member.name.endswith(".json") else None
                if packed_file is not None and not Path(member.name).name.startswith("._"):
                    yield member.name, packed_file.read()
