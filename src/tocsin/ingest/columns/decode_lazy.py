"""Lines of a payload and the records in them, made when asked for."""

from collections.abc import Callable, Sequence
from typing import Any, overload

from tocsin.ingest.columns.decode_lines import Numbers


class LazyLines(Sequence[bytes]):
    """Slices of a payload, cut when asked for."""

    def __init__(self, data: bytes, starts: Numbers, ends: Numbers) -> None:
        self.data, self._starts, self._ends = data, starts, ends

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> list[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | list[bytes]:
        if isinstance(at, slice):
            return [self[row] for row in range(*at.indices(len(self)))]
        return self.data[int(self._starts[at]) : int(self._ends[at])]

    def part(self, start: int, end: int) -> "LazyLines":
        """Some of the lines that follow each other, still uncut."""
        return LazyLines(self.data, self._starts[start:end], self._ends[start:end])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def text_of(lines: Sequence[bytes]) -> bytes:
    """A text with all of the lines in it, without a copy where they are slices of one."""
    return lines.data if isinstance(lines, LazyLines) else b"\n".join(lines)


class LazyRecords(Sequence[dict[str, Any]]):
    """The records of lines, read when asked for."""

    def __init__(self, lines: Sequence[bytes], read: Callable[[bytes], dict[str, Any]]) -> None:
        self._lines, self._read = lines, read

    def of(self, lines: Sequence[bytes]) -> "LazyRecords":
        """The records of other lines, read in the same way."""
        return LazyRecords(lines, self._read)

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, at: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(at, slice):
            return [self._read(line) for line in self._lines[at]]
        return self._read(self._lines[at])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]
