"""What was taken in of which file, so that a reading that was cut off goes on where it was."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from tocsin.ingest.cutting.cutting import Cut
from tocsin.ingest.cutting.files import Progress, files_below, read_file, source_name
from tocsin.ingest.errors import IngestError

_NAMED = 5


@dataclass(frozen=True, slots=True)
class FileVersion:
    """One file as it was when it was read; a file with other content is another version."""

    path: str
    source: str
    size_bytes: int
    modified_ns: int


@dataclass(slots=True)
class Taken:
    """So many batches of a version were taken; ``is_finished``: that were all."""

    version: FileVersion
    batches: int = 0
    is_finished: bool = False


class TakenFiles:
    """A file of lines, one for each batch that is durable; a torn last line counts for nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken: dict[tuple[str, str], Taken] = {}
        self.position = 0
        """The spool's when the last line was written; what was in flight stands behind it."""
        with suppress(FileNotFoundError), path.open("rb") as file:
            for line in file:
                with suppress(ValueError, KeyError, TypeError):
                    self._read(json.loads(line))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists():
            self._write_anew()

    def of(self, version: FileVersion) -> Taken:
        """What was taken of it; raises IngestError when the file has changed since."""
        known = self._taken.get((version.path, version.source))
        if known is None:
            return Taken(version)
        if known.version != version:
            then, now = known.version.size_bytes, version.size_bytes
            raise IngestError(f"{version.path} (then {then:,} bytes, now {now:,})")
        return known

    def has_begun(self, taken: Taken) -> bool:
        """Whether something of it may have been in flight when a reading was cut off."""
        return (taken.version.path, taken.version.source) in self._taken

    def note(self, taken: Taken, position: int) -> None:
        """Keep how far a file is; call it once what was taken is durable."""
        self.position = position
        self._taken[taken.version.path, taken.version.source] = taken
        with self._path.open("ab") as file:
            file.write(_line(taken, position))

    def _read(self, line: dict[str, object]) -> None:
        version = FileVersion(**line["version"])  # type: ignore[arg-type]
        taken = Taken(version, int(str(line["batches"])), bool(line["is_finished"]))
        self._taken[version.path, version.source] = taken
        self.position = int(str(line["position"]))

    def _write_anew(self) -> None:
        """One line a file instead of one a batch."""
        fresh = self._path.with_name(self._path.name + ".new")
        lines = (_line(taken, self.position) for taken in self._taken.values())
        fresh.write_bytes(b"".join(lines))
        fresh.replace(self._path)


def _line(taken: Taken, position: int) -> bytes:
    return json.dumps({**asdict(taken), "position": position}).encode() + b"\n"


def read_on(
    paths: Sequence[Path | str],
    source: str | None,
    received_at: datetime,
    book: TakenFiles,
    is_there: Callable[[Cut], bool],
    position: Callable[[], int],
    on_progress: Progress | None = None,
) -> Iterator[Cut]:
    """What ``book`` does not know yet of the files, in their order.

    A cut is noted when the next is asked for: by then it is to be durable. ``is_there`` tells of
    the first batch of a file that was begun whether it is, for it may have been in flight when
    that reading was cut off; ``position`` is the spool's. Raises IngestError before anything is
    read when a path is missing, or a file has changed since it was taken.
    """
    waiting = _waiting(paths, source, book)
    total = sum(taken.version.size_bytes for _, taken in waiting)
    done = 0
    for file, taken in waiting:
        if not taken.is_finished:
            was_begun = book.has_begun(taken)
            if not was_begun:
                book.note(taken, position())
            cuts = read_file(file, taken.version.source, received_at)
            for number, (cut, at) in enumerate(cuts, 1):
                if number <= taken.batches:
                    continue
                if not (was_begun and is_there(cut)):
                    yield cut
                was_begun = False
                taken.batches = number
                book.note(taken, position())
                if on_progress is not None:
                    on_progress(done + min(at, taken.version.size_bytes), total)
            taken.is_finished = True
            book.note(taken, position())
        done += taken.version.size_bytes
        if on_progress is not None:
            on_progress(done, total)


def _waiting(
    paths: Sequence[Path | str], source: str | None, book: TakenFiles
) -> list[tuple[Path, Taken]]:
    found: list[tuple[Path, Taken]] = []
    changed: list[str] = []
    for file in (file.resolve() for path in paths for file in files_below(Path(path))):
        facts = os.stat(file)
        version = FileVersion(
            str(file), source or source_name(file), facts.st_size, facts.st_mtime_ns
        )
        try:
            found.append((file, book.of(version)))
        except IngestError as error:
            changed.append(str(error))
    if changed:
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        raise IngestError(
            f"changed since taken in: {', '.join(changed[:_NAMED])}{more}; take such files in "
            "without --resume, which stores them whole once more, or follow them with [[files]]"
        )
    return found
