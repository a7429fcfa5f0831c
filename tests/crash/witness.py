"""Stands between a bulk sender and the server, and notes what each request held and what was answered."""

import asyncio
import contextlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.gate import gate

_NUMBER = re.compile(rb'"number": ?(\d+)')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"
_PIECE = 1 << 16
_LONGEST_HEAD = 1 << 20
_PATIENCE_S = 60.0
_NO_BODY = (204, 304)


@dataclass(slots=True)
class Exchange:
    """A bulk request that was sent whole; ``status`` stays 0 where no whole answer came back."""

    numbers: list[int | None]
    """Of its records, in order; None where one has none (the sender's own messages)."""
    status: int = 0
    item_statuses: list[int] = field(default_factory=list)

    def accepted(self) -> set[int]:
        """The records the sender was told are safe."""
        if not 200 <= self.status < 300:
            return set()
        told = zip(self.numbers, self.item_statuses, strict=True)
        return {number for number, status in told if number is not None and status < 300}


class Witness:
    """A listener on ``port`` that passes all bytes on to ``target``, both ways, as they come.

    What can't be passed on because the server is gone ends the connection, as its end itself does.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self.port = 0
        self.exchanges: list[Exchange] = []
        self._end: Callable[[], object] = lambda: None
        listening = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listening)), name="witness", daemon=True
        )
        self._thread.start()
        assert listening.wait(_PATIENCE_S)

    def close(self) -> None:
        self._end()
        self._thread.join(_PATIENCE_S)

    def accepted(self) -> set[int]:
        return {number for exchange in list(self.exchanges) for number in exchange.accepted()}

    def sent_again(self) -> int:
        """How many copies sending again can have made: each sending of a record but its first."""
        sent = Counter(
            number for exchange in list(self.exchanges) for number in set(exchange.numbers)
        )
        del sent[None]
        return sum(times - 1 for times in sent.values())

    def histories(self, numbers: Iterable[int]) -> dict[str, str]:
        """Of each record the answers its sendings got, in order; which ones have the same."""
        asked = set(numbers)
        told: dict[int, list[str]] = {number: [] for number in asked}
        for exchange in list(self.exchanges):
            statuses = exchange.item_statuses or [exchange.status] * len(exchange.numbers)
            for number, status in zip(exchange.numbers, statuses, strict=True):
                if number in asked and number is not None:
                    told[number].append(str(status) if status else "none")
        alike: dict[str, list[int]] = {}
        for number in sorted(told):
            alike.setdefault(", ".join(told[number]) or "never sent", []).append(number)
        return {answers: _in_ranges(those) for answers, those in alike.items()}

    async def _serve(self, listening: threading.Event) -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._end = lambda: loop.call_soon_threadsafe(ended.set)
        async with gate(("127.0.0.1", self._target), self._talk) as self.port:
            listening.set()
            await ended.wait()

    async def _talk(
        self,
        sender: asyncio.StreamReader,
        to_sender: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        asked, answered = (asyncio.StreamReader(_LONGEST_HEAD) for _ in range(2))
        noting = asyncio.create_task(self._note(asked, answered))
        asking = asyncio.create_task(_pass_on(sender, to_server, asked))
        answering = asyncio.create_task(_pass_on(server, to_sender, answered))
        # Whoever ends first, the other one has nobody to talk to.
        await asyncio.wait((asking, answering), return_when=asyncio.FIRST_COMPLETED)
        for writer in (to_sender, to_server):
            writer.close()
        await asyncio.gather(asking, answering)
        await noting

    async def _note(self, asked: asyncio.StreamReader, answered: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head, body = await _message(asked, is_asked_for_head=False)
                exchange = None
                if b"/_bulk" in head.split(b"\r\n", 1)[0]:
                    exchange = Exchange(_numbers(body))
                    self.exchanges.append(exchange)
                answer = await _message(answered, is_asked_for_head=head.startswith(b"HEAD "))
                if exchange is not None:
                    exchange.item_statuses = _item_statuses(answer[1])
                    exchange.status = _status(answer[0])


async def _pass_on(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, ear: asyncio.StreamReader
) -> None:
    """What is heard has been passed on before."""
    with contextlib.suppress(ConnectionError):
        while piece := await source.read(_PIECE):
            target.write(piece)
            await target.drain()
            ear.feed_data(piece)
    ear.feed_eof()


async def _message(stream: asyncio.StreamReader, *, is_asked_for_head: bool) -> tuple[bytes, bytes]:
    """The next message's head and body (RFC 9112), past interim answers."""
    head = await stream.readuntil(_HEAD_END)
    while head.startswith(b"HTTP/1.1 1"):
        head = await stream.readuntil(_HEAD_END)
    length = _LENGTH.search(head)
    if length is None or is_asked_for_head or _status(head) in _NO_BODY:
        return head, b""
    return head, await stream.readexactly(int(length[1]))


def _in_ranges(numbers: Sequence[int]) -> str:
    """``3: 7-8, 11``: how many they are, and which, in rising order."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    told = ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in ranges)
    return f"{len(numbers)}: {told}"


def _status(head: bytes) -> int:
    return int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/") else 0


def _numbers(body: bytes) -> list[int | None]:
    """The record's number of each document; every other line is an action."""
    found = (_NUMBER.search(line) for line in body.split(b"\n")[1::2])
    return [int(one[1]) if one else None for one in found]


def _item_statuses(body: bytes) -> list[int]:
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return []
    items = answer.get("items", []) if isinstance(answer, dict) else []
    return [one["status"] for item in items for one in item.values()]
