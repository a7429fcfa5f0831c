"""A gate before a Kafka broker that lets in who proves a password, by PLAIN or SCRAM (RFC 5802)."""

import asyncio
import base64
import hashlib
import hmac
import secrets
import struct
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from anyio.from_thread import start_blocking_portal

from tests.gate import gate

_HANDSHAKE, _API_VERSIONS, _AUTHENTICATE = 17, 18, 36
_UNSUPPORTED_MECHANISM, _AUTHENTICATION_FAILED = 33, 58
_FLEXIBLE = 3
_ROUNDS = 4096
_HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}


class _Denied(Exception):
    """The password, or the proof of it, is wrong."""


@dataclass(slots=True)
class KafkaGate:
    """One ``user`` of one ``password``; ``admitted`` are the mechanisms that were gone through."""

    broker: str
    user: str
    password: str
    mechanism: str
    port: int = 0
    admitted: list[str] = field(default_factory=list)

    @property
    def target(self) -> tuple[str, int]:
        host, _, port = self.broker.partition(":")
        return host, int(port)

    async def talk(
        self,
        client: asyncio.StreamReader,
        to: asyncio.StreamWriter,
        broker: asyncio.StreamReader,
        to_broker: asyncio.StreamWriter,
    ) -> None:
        host, port = self.target
        with suppress(asyncio.IncompleteReadError, OSError):
            if await self._admit(client, to, broker, to_broker):
                self.admitted.append(self.mechanism)
                here, there = (host.encode() + struct.pack(">i", one) for one in (self.port, port))
                await asyncio.gather(
                    _copy(client, to_broker, b"", b""), _copy(broker, to, there, here)
                )

    async def _admit(
        self,
        client: asyncio.StreamReader,
        to: asyncio.StreamWriter,
        broker: asyncio.StreamReader,
        to_broker: asyncio.StreamWriter,
    ) -> bool:
        """Answers until the password is proven; only what versions there are may be asked before."""
        exchange = self._plain() if self.mechanism == "PLAIN" else self._scram()
        await anext(exchange)
        while True:
            request = await _frame(client)
            key, version, number = struct.unpack(">hhi", request[:8])
            body = request[10 + struct.unpack(">h", request[8:10])[0] :]
            if key == _API_VERSIONS:
                _send(to_broker, request)
                _send(to, _with_sasl(await _frame(broker), version))
                continue
            head = struct.pack(">i", number)
            if key == _HANDSHAKE:
                wanted = body[2:].decode()
                error = 0 if wanted == self.mechanism else _UNSUPPORTED_MECHANISM
                _send(to, head + struct.pack(">hi", error, 1) + _string(self.mechanism))
                continue
            if key != _AUTHENTICATE:
                return False
            lifetime = bytes(8) if version else b""
            try:
                answer, is_done = await exchange.asend(body[4:])
            except _Denied:
                failed = struct.pack(">h", _AUTHENTICATION_FAILED) + _string("Who is this?")
                _send(to, head + failed + bytes(4) + lifetime)
                return False
            told = struct.pack(">hhi", 0, -1, len(answer)) + answer
            _send(to, head + told + lifetime)
            if is_done:
                return True

    async def _plain(self) -> AsyncGenerator[tuple[bytes, bool], bytes]:
        given = yield b"", False
        if given != f"\0{self.user}\0{self.password}".encode():
            raise _Denied
        yield b"", True

    async def _scram(self) -> AsyncGenerator[tuple[bytes, bool], bytes]:
        kind, salt = _HASHES[self.mechanism], secrets.token_bytes(16)
        first = (yield b"", False).removeprefix(b"n,,")
        said = _attributes(first)
        nonce = said["r"] + secrets.token_hex(8)
        offer = f"r={nonce},s={base64.b64encode(salt).decode()},i={_ROUNDS}".encode()
        final = yield offer, False
        proof = _attributes(final)
        if said["n"] != self.user or proof["r"] != nonce:
            raise _Denied
        salted = hashlib.pbkdf2_hmac(kind, self.password.encode(), salt, _ROUNDS)
        client_key = hmac.digest(salted, b"Client Key", kind)
        stored_key = hashlib.new(kind, client_key).digest()
        signed = b",".join((first, offer, final.rpartition(b",p=")[0]))
        signature = hmac.digest(stored_key, signed, kind)
        shown = bytes(a ^ b for a, b in zip(base64.b64decode(proof["p"]), signature, strict=True))
        if not hmac.compare_digest(shown, client_key):
            raise _Denied
        server_key = hmac.digest(salted, b"Server Key", kind)
        yield b"v=" + base64.b64encode(hmac.digest(server_key, signed, kind)), True


@contextmanager
def guarded(guard: KafkaGate) -> Iterator[KafkaGate]:
    """The gate while it is open, on a port of its own."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(gate(guard.target, guard.talk)) as guard.port,
    ):
        yield guard


def _with_sasl(answer: bytes, version: int) -> bytes:
    """The broker's versions (KIP-511) with those of the gate; behind number and error."""
    head, rest = answer[:6], answer[6:]
    if version >= _FLEXIBLE and head.endswith(b"\0\0"):
        more = struct.pack(">hhhxhhhx", _HANDSHAKE, 0, 1, _AUTHENTICATE, 0, 1)
        return head + bytes([rest[0] + 2]) + more + rest[1:]
    (count,) = struct.unpack(">i", rest[:4])
    more = struct.pack(">hhhhhh", _HANDSHAKE, 0, 1, _AUTHENTICATE, 0, 1)
    return head + struct.pack(">i", count + 2) + more + rest[4:]


def _attributes(message: bytes) -> dict[str, str]:
    return {one[0]: one[2:] for one in message.decode().split(",")}


def _string(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


async def _frame(stream: asyncio.StreamReader) -> bytes:
    (size,) = struct.unpack(">i", await stream.readexactly(4))
    return await stream.readexactly(size)


def _send(to: asyncio.StreamWriter, frame: bytes) -> None:
    to.write(struct.pack(">i", len(frame)) + frame)


async def _copy(
    stream: asyncio.StreamReader, to: asyncio.StreamWriter, there: bytes, here: bytes
) -> None:
    """Frame by frame; the broker's address in them becomes the gate's."""
    with suppress(asyncio.IncompleteReadError, OSError):
        while True:
            frame = await _frame(stream)
            _send(to, frame.replace(there, here) if there else frame)
            await to.drain()
    to.close()
