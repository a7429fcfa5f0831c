"""Recorded attacks on the disk: index files, archives and what they say a recording shows."""

import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson

from tocsin.app.coverage.sample_techniques import current, techniques_named

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz")
_LOGS = (".evtx", ".json", ".jsonl", ".ndjson", ".log", ".csv", ".gz")
_MOST_BYTES = 4 << 30
"""More than this is not unpacked of one archive."""


class SampleError(ValueError):
    """Samples that can't be found or read; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class AttackSample:
    """One recording; ``techniques`` are ids of today's ATT&CK, empty when nobody says."""

    name: str
    paths: tuple[Path, ...]
    techniques: frozenset[str]


def attack_samples(folders: Sequence[Path], work: Path) -> list[AttackSample]:
    """The recordings of each folder, unpacked below ``work``, in the order of their names.

    With an ``index.jsonl`` in it (a line a recording: ``file`` and ``technique``, or ATT&CK
    entries below ``meta``) its files are the recordings; a file not on the disk is looked for
    in the archives beside the index. Without one every log file and every member of an
    archive is a recording. Where no technique is given, the file name is asked.
    Raises ``SampleError`` when a folder is missing or nothing is found in it.
    """
    found: list[AttackSample] = []
    for number, folder in enumerate(folders):
        if not folder.is_dir():
            raise SampleError(f"{folder}: no such folder; give a folder of recorded attacks")
        own = work / str(number)
        own.mkdir(parents=True, exist_ok=True)
        index = folder / "index.jsonl"
        samples = list(_indexed(folder, index, own) if index.is_file() else _all(folder, own))
        if not samples:
            raise SampleError(
                f"{folder}: no recordings; it holds neither logs nor archives of logs"
            )
        found.extend(samples)
    return found


def _indexed(folder: Path, index: Path, work: Path) -> Iterator[AttackSample]:
    entries: dict[str, Mapping[str, object]] = {}
    for line_number, line in enumerate(index.read_bytes().splitlines(), start=1):
        try:
            entry = orjson.loads(line)
            entries[entry["file"]] = entry
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise SampleError(
                f"{index}:{line_number}: no JSON object with a file: {error}; mend the line"
            ) from error
    absent = {name for name in entries if not (folder / name).is_file()}
    packed = dict(_members(folder, work / "packed", absent.__contains__)) if absent else {}
    for number, (name, entry) in enumerate(entries.items()):
        path = packed.get(name, folder / name)
        if not path.is_file():
            raise SampleError(f"{index}: {name} is neither in the folder nor in an archive of it")
        paths = _unpacked(path, work / str(number)) if _is_archive(path) else (path,)
        yield AttackSample(f"{folder.name}/{name}", paths, _labels(entry) or _named(name))


def _all(folder: Path, work: Path) -> Iterator[AttackSample]:
    loose = {
        str(path.relative_to(folder)): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix.lower() in _LOGS
    }
    for name, path in {**loose, **dict(_members(folder, work, _is_log))}.items():
        yield AttackSample(f"{folder.name}/{name}", (path,), _named(name))


def _labels(entry: Mapping[str, object]) -> frozenset[str]:
    given = entry.get("technique")
    if isinstance(given, str):
        return frozenset({current(given)})
    if isinstance(given, list):
        return frozenset(current(str(one)) for one in given)
    meta = entry.get("meta")
    labels = set()
    for part in meta if isinstance(meta, list) else ():
        for attack in part.get("attack") or ():
            child = attack.get("sub-technique")
            labels.add(current(attack["technique"] + (f".{child}" if child else "")))
    return frozenset(labels)


def _named(name: str) -> frozenset[str]:
    return techniques_named(name.rpartition("/")[2])


def _members(folder: Path, work: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Path]]:
    for archive in sorted(path for path in folder.iterdir() if _is_archive(path)):
        yield from _extracted(archive, work / archive.name, wanted)


def _unpacked(archive: Path, work: Path) -> tuple[Path, ...]:
    return tuple(path for _, path in _extracted(archive, work, _is_log))


def _extracted(
    archive: Path, work: Path, wanted: Callable[[str], bool]
) -> Iterator[tuple[str, Path]]:
    """Members by name and where they now lie: under numbers, so that no name leads elsewhere."""
    work.mkdir(parents=True, exist_ok=True)
    left = _MOST_BYTES
    try:
        for number, (name, content) in enumerate(_contents(archive)):
            if not wanted(name):
                continue
            target = work / f"{number}{Path(name).suffix}"
            left -= _copy(content, target, left)
            if left <= 0:
                raise SampleError(f"{archive}: unpacks to more than {_MOST_BYTES:,} bytes")
            yield name, target
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise SampleError(f"{archive}: can't be unpacked: {error}; fetch it again") from error


def _contents(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                if not info.is_dir():
                    with packed.open(info) as content:
                        yield info.filename, content
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            opened = tar.extractfile(member) if member.isfile() else None
            if opened is not None:
                yield member.name, opened


def _copy(content: IO[bytes], target: Path, most: int) -> int:
    written = 0
    with target.open("wb") as file:
        while written <= most and (block := content.read(1 << 20)):
            written += file.write(block)
    return written


def _is_archive(path: Path) -> bool:
    return path.name.lower().endswith(_ARCHIVES)


def _is_log(name: str) -> bool:
    return name.lower().endswith(_LOGS) and not name.startswith("__MACOSX")
