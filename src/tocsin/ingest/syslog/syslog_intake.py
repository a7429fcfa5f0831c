"""Collects syslog messages for a moment and hands them on in batches, one hand-over at a time."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime

import structlog

from tocsin.ingest.limits import BATCH_BYTES, BATCH_RECORDS
from tocsin.ingest.syslog.syslog_escape import joined
from tocsin.ingest.syslog.syslog_framing import Message
from tocsin.ingest.syslog.syslog_source import SourceNames
from tocsin.model.record import Framing, RawBatch
from tocsin.store.ports import StoreError

Accept = Callable[[Sequence[RawBatch]], Awaitable[int]]
LINGER_S = 0.05
_FIRST_RETRY_S = 0.05
_LONGEST_RETRY_S = 2.0
_log = structlog.get_logger()


class SyslogIntake:
    """Messages wait at most ``LINGER_S``, or until a batch is full, for ``accept``.

    While ``accept`` works or refuses (it is tried again, nothing is dropped), ``has_room`` turns
    false as soon as another batch is full: listeners then stop reading.
    """

    def __init__(self, accept: Accept, tenant: str = "default", listener: str = "") -> None:
        self._accept = accept
        self._tenant = tenant
        self._names = SourceNames(listener=listener)
        self._messages: dict[tuple[str, str], list[bytes]] = {}
        self._fragments: list[RawBatch] = []
        self._count = 0
        self._size_bytes = 0
        self._first = asyncio.Event()
        self._full = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closing = False
        self._worker: asyncio.Task[None] | None = None
        self._on_room: list[Callable[[], None]] = []
        self.accepted = 0

    def start(self) -> None:
        self._worker = asyncio.create_task(self._work(), name="syslog intake")

    def on_room(self, tell: Callable[[], None]) -> None:
        """``tell`` is called whenever there is room again."""
        self._on_room.append(tell)

    @property
    def has_room(self) -> bool:
        return self._room.is_set()

    async def room(self) -> None:
        """Return when there is room for more."""
        await self._room.wait()

    def add(self, messages: Iterable[Message], peer: str, place: str) -> None:
        """Take some messages of a sender; a piece of one that is too large is only kept."""
        name, by_source = self._names.name, self._messages
        for message, whole in messages:
            source = name(message, peer)
            self._count += 1
            self._size_bytes += len(message)
            if whole:
                key = source, place
                if key not in by_source:
                    by_source[key] = []
                by_source[key].append(message)
            else:
                self._fragments.append(self._fragment(message, source, place))
        if self._count:
            self._first.set()
        if self._count >= BATCH_RECORDS or self._size_bytes >= BATCH_BYTES:
            self._full.set()
            self._room.clear()

    def _fragment(self, piece: bytes, source: str, place: str) -> RawBatch:
        return RawBatch(
            source=source,
            payload=piece,
            received_at=datetime.now(UTC),
            framing=Framing.FRAGMENT,
            place=place,
            tenant=self._tenant,
        )

    async def close(self) -> None:
        """Hand on everything that was taken, then stop."""
        self._closing = True
        self._first.set()
        self._full.set()
        if self._worker is not None:
            await self._worker

    async def _work(self) -> None:
        while True:
            await self._first.wait()
            if not self._closing:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), LINGER_S)
            batches, count = self._take()
            if batches:
                await self._hand_on(batches)
                self.accepted += count
            elif self._closing:
                return

    def _take(self) -> tuple[list[RawBatch], int]:
        now = datetime.now(UTC)
        batches = self._fragments + [
            RawBatch(
                source=source,
                payload=joined(messages),
                received_at=now,
                framing=Framing.SYSLOG,
                place=place,
                tenant=self._tenant,
            )
            for (source, place), messages in self._messages.items()
        ]
        count = self._count
        self._messages, self._fragments = {}, []
        self._count = self._size_bytes = 0
        if not self._closing:
            self._first.clear()
            self._full.clear()
        self._room.set()
        for tell in self._on_room:
            tell()
        return batches, count

    async def _hand_on(self, batches: Sequence[RawBatch]) -> None:
        pause_s = _FIRST_RETRY_S
        while True:
            try:
                await self._accept(batches)
            except StoreError as error:  # SpoolFull, or a disk that may come back
                _log.warning("syslog_waits", reason=str(error), retry_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_RETRY_S)
            else:
                return
