"""A watch over files in a folder, a clock that is moved by hand, and its positions as kept."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tocsin.ingest.cutting.cutting import Cut
from tocsin.ingest.files.file_positions import FilePosition
from tocsin.ingest.files.file_settings import FileSettings
from tocsin.ingest.files.file_watch import FileWatch
from tocsin.model.record import RawBatch, Unreadable


class Following:
    """``kept`` is what a restart goes on from; ``cuts`` is all that was read."""

    def __init__(
        self,
        folder: Path,
        *names: str,
        chunk_bytes: int = 4096,
        most_open: int = 64,
        **settings: Any,
    ) -> None:
        self.folder = folder
        self.settings = FileSettings(
            source="app",
            paths=tuple(str(folder / name) for name in names or ("app.log*",)),
            **settings,
        )
        self._chunk_bytes = chunk_bytes
        self._most_open = most_open
        self.now = 0.0
        self.kept: dict[str, FilePosition] = {}
        self.cuts: list[Cut] = []
        self.watch = self._open()

    def _open(self) -> FileWatch:
        return FileWatch(
            self.settings,
            [replace(one) for one in self.kept.values()],
            chunk_bytes=self._chunk_bytes,
            most_open=self._most_open,
            clock=lambda: self.now,
        )

    def look(self, times: int = 1, *, keeps: bool = True) -> list[str]:
        """The lines that looking brings, a second between any two looks."""
        before = len(self.cuts)
        for _ in range(times):
            self.now += 1
            for cuts in self.watch.look():
                self.cuts += cuts
            if keeps:
                kept, dropped = self.watch.take_changes()
                for identity in dropped:
                    self.kept.pop(identity, None)
                self.kept |= {one.identity: replace(one) for one in kept}
        return lines_of(self.cuts[before:])

    def restart(self) -> None:
        """Go on from what was kept; what was not is forgotten, as when the process is killed."""
        self.watch.close()
        self.watch = self._open()

    def append(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        with path.open("ab") as file:
            file.write(text.encode() if isinstance(text, str) else text)
        return path

    @property
    def unreadable(self) -> list[Unreadable]:
        return [cut for cut in self.cuts if isinstance(cut, Unreadable)]

    @property
    def batches(self) -> list[RawBatch]:
        return [cut for cut in self.cuts if isinstance(cut, RawBatch)]


def lines_of(cuts: Iterable[Cut]) -> list[str]:
    return [
        line.decode()
        for cut in cuts
        if isinstance(cut, RawBatch)
        for line in cut.payload.split(b"\n")
        if line.strip()
    ]
