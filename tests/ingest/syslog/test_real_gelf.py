"""GELF from a real client: pygelf by UDP (chunked, packed) and by TCP."""

import asyncio
import logging
import random
from collections.abc import Sequence

import pytest
from pygelf import GelfTcpHandler, GelfUdpHandler

from tocsin.ingest.decode import decode
from tocsin.ingest.syslog.syslog_server import SyslogServer
from tocsin.model.record import Framing, RawBatch

PATIENCE_S = 30
LONG = "".join(random.Random(7).choices("abcdefghij0123456789", k=20_000))  # noqa: S311


def send(handler: logging.Handler, texts: Sequence[str]) -> None:
    for text in texts:
        handler.handle(logging.makeLogRecord({"msg": text, "user_name": "ada", "levelno": 20}))
    handler.close()


def told(kind: str, texts: Sequence[str]) -> list[dict[str, object]]:
    """What of this has been taken in."""
    taken: list[RawBatch] = []
    is_all_there = asyncio.Event()

    async def accept(batches: Sequence[RawBatch]) -> int:
        taken.extend(batches)
        if sum(len(batch.payload.split(b"\n")) for batch in taken) >= len(texts):
            is_all_there.set()
        return len(taken)

    async def story() -> None:
        server = SyslogServer(accept, "127.0.0.1", 0, 0)
        await server.start()
        if kind == "tcp":
            handler = GelfTcpHandler("127.0.0.1", server.tcp_port, include_extra_fields=True)
        else:
            handler = GelfUdpHandler(
                *("127.0.0.1", server.udp_port),
                compress=kind == "udp packed",
                chunk_size=1_000,
                include_extra_fields=True,
            )
        await asyncio.to_thread(send, handler, texts)
        await asyncio.wait_for(is_all_there.wait(), PATIENCE_S)
        await server.stop()

    asyncio.run(story())
    assert {batch.framing for batch in taken} == {Framing.SYSLOG}
    return [record for batch in taken for record in decode(batch).records]


@pytest.mark.parametrize("kind", ["udp packed", "udp plain", "tcp"])
def test_every_message_arrives_whole(kind: str) -> None:
    texts = ["short", LONG, "two\nlines"]
    records = told(kind, texts)
    assert [record["short_message"] for record in records] == texts
    assert {record["user_name"] for record in records} == {"ada"}
