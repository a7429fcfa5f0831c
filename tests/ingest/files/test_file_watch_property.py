"""Whatever is written, rotated, copied, packed, emptied and restarted: every line once."""

import gzip
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingest.following import Following, lines_of

OPERATIONS = (
    *("write", "write", "write", "long", "part", "look", "look"),
    *("rotate", "copytruncate", "pack", "empty", "remove", "restart", "kill"),
)


class Writer:
    """An application and its logrotate; ``lines`` is what a reader must have seen in the end."""

    def __init__(self, folder: Path) -> None:
        self.following = Following(folder, partial_s=3600.0)
        self.log = folder / "app.log"
        self.lines: list[str] = []
        self.part = ""
        self.number = 0
        self.with_part: set[Path] = set()
        self.was_killed = False

    def put(self, text: str) -> None:
        self.following.append("app.log", text)

    def write(self, size: int = 0) -> None:
        self.number += 1
        line = f"{self.number} told {'x' * size}".strip()
        self.lines.append(self.part + line)
        self.part = ""
        self.put(line + "\n")

    def long(self) -> None:
        self.write(1500 + 37 * (self.number % 90))

    def do_part(self) -> None:
        self.number += 1
        piece = f"{self.number}:"
        self.part += piece
        self.put(piece)

    def end_part(self, path: Path) -> None:
        """Nobody ends the line that was begun in what the log was until now."""
        if self.part:
            self.lines.append(self.part)
            self.with_part.add(path)
        self.part = ""

    def shift(self) -> Path:
        """Make room for ``app.log.1``."""
        rotated = sorted(self.following.folder.glob("app.log.*"), reverse=True)
        for path in rotated:
            number, *packed = path.name.removeprefix("app.log.").split(".")
            to = path.with_name(".".join(["app.log", f"{int(number) + 1:02d}", *packed]))
            path.rename(to)
            if path in self.with_part:
                self.with_part.remove(path)
                self.with_part.add(to)
        return self.following.folder / "app.log.01"

    def rotate(self) -> None:
        if self.log.exists():
            first = self.shift()
            self.log.rename(first)
            self.end_part(first)

    def copytruncate(self) -> None:
        if self.log.exists() and self.log.stat().st_size:
            first = self.shift()
            shutil.copy(self.log, first)
            os.truncate(self.log, 0)
            self.end_part(first)

    def pack(self) -> None:
        plain = [p for p in self.following.folder.glob("app.log.*") if p.suffix != ".gz"]
        for path in sorted(plain)[-1:]:
            with gzip.open(f"{path}.gz", "wb") as packed:
                packed.write(path.read_bytes())
            path.unlink()
            if path in self.with_part:
                self.with_part.add(Path(f"{path}.gz"))

    def empty(self) -> None:
        if self.log.exists() and not self.part:
            self.following.look()
            os.truncate(self.log, 0)

    def remove(self) -> None:
        rotated = sorted(self.following.folder.glob("app.log.*"))
        for path in rotated[-1:]:
            if path not in self.with_part:
                self.following.look(6)
                path.unlink()

    def restart(self) -> None:
        self.following.restart()

    def kill(self) -> None:
        self.following.look(keeps=False)
        self.following.restart()
        self.was_killed = True

    def do(self, operation: str) -> None:
        if operation == "part":
            self.do_part()
        elif operation == "look":
            self.following.look()
        else:
            getattr(self, operation)()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(operations=st.lists(st.sampled_from(OPERATIONS), min_size=3, max_size=25))
def test_every_line_is_read_once(operations: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(Path(folder))
        for operation in operations:
            writer.do(operation)
        if writer.part:
            writer.write()
        following = writer.following
        following.look(40)
        following.now += 4000
        following.look(40)
        read = Counter(lines_of(following.cuts))
        following.watch.close()
        expected = Counter(writer.lines)
        assert not expected - read, "lost"
        if not writer.was_killed:
            assert read == expected
