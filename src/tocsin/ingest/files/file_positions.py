"""How far each followed file has been read, kept over restarts."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from tocsin.ingest.files.file_fingerprint import Fingerprint
from tocsin.ingest.files.file_tables import file_positions

FOLLOWED, READ_ONCE, GONE, CUT = "followed", "read once", "gone", "truncated"
"""What a position is of: a file that grows, one that is read as a whole, content that is no
longer where it was, content that was there before the file was truncated."""
_ENDED = (GONE, CUT)
_NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(slots=True)
class FilePosition:
    """Where reading goes on in one file.

    ``identity`` is its device and inode, for content that is gone one made of its fingerprint.
    ``offset`` counts bytes from the start, ``lines`` the lines before it; of a file that is read
    as a whole ``offset`` is its size once all is read and ``lines`` counts records. ``inside``
    says that it stands within a record too long to be taken as one. ``header`` are the lines
    that name the fields of what follows. ``size`` is what was there at the last look.
    """

    source: str
    identity: str
    path: str
    offset: int = 0
    head: str = ""
    tail: str = ""
    lines: int = 0
    inside: bool = False
    size: int = 0
    state: str = FOLLOWED
    header: str = ""
    note: str = ""
    changed_at: datetime = _NEVER

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(self.offset, self.head, self.tail)

    @property
    def is_there(self) -> bool:
        """False for content that is remembered, and in no file that is followed."""
        return self.state not in _ENDED

    @property
    def behind(self) -> int:
        """Bytes that wait to be read."""
        return max(0, self.size - self.offset)

    def stand_behind(self, told: Fingerprint) -> None:
        self.offset, self.head, self.tail = told.offset, told.head, told.tail

    def ended(self, state: str) -> "FilePosition":
        """The same content without a file, to know it again where it turns up."""
        return replace(self, identity=f"{self.head}:{self.tail}:{self.offset}", state=state)


def load_positions(tx: Connection, source: str | None = None) -> list[FilePosition]:
    """By source and path; of one source, if asked."""
    chosen = select(file_positions).order_by(file_positions.c.source, file_positions.c.path)
    if source is not None:
        chosen = chosen.where(file_positions.c.source == source)
    return [FilePosition(**row._mapping) for row in tx.execute(chosen)]


def shown_positions(tx: Connection, source: str | None = None) -> list[FilePosition]:
    """Those of files that are there, as people look at them."""
    return [one for one in load_positions(tx, source) if one.is_there]


def keep_positions(
    tx: Connection, source: str, kept: Iterable[FilePosition], dropped: Iterable[str]
) -> None:
    """Write what has changed; call it once what was read up to there is durable."""
    rows = [_row(one) for one in kept]
    old = {*dropped, *(row["identity"] for row in rows)}
    for identity in old:
        tx.execute(
            delete(file_positions).where(
                file_positions.c.source == source, file_positions.c.identity == identity
            )
        )
    if rows:
        tx.execute(file_positions.insert(), rows)


def _row(position: FilePosition) -> dict[str, Any]:
    return {one.name: getattr(position, one.name) for one in fields(position)}
