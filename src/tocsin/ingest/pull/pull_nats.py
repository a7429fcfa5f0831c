"""Pulls a stream of NATS JetStream through a durable consumer, which keeps the position."""

import asyncio
import ssl
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoServersError
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

from tocsin.ingest.cutting.cutting import Cut, Maker
from tocsin.ingest.pull.pull import Portion, Pulled, PullError, PullMeans
from tocsin.ingest.pull.pull_messages import cut_messages
from tocsin.ingest.pull.pull_settings import NatsSettings

_AT_ONCE = 1_000
_WAIT_S = 1.0
_CONNECT_S = 10
_T = TypeVar("_T")


def open_pull(settings: NatsSettings, means: PullMeans) -> Pulled:
    """Connect, and find or make the durable consumer of the stream."""
    return Stream(settings, means)


class Stream:
    """Messages are acknowledged once they are on disk. The client's own loop runs within calls."""

    idle_s = 0.0

    def __init__(self, settings: NatsSettings, means: PullMeans) -> None:
        self._settings = settings
        self._source = means.source
        self._where = f"NATS at {', '.join(settings.servers)}"
        self._stream = f"{self._where}, stream {settings.stream}"
        self._refused = ""
        self._client: Client | None = None
        self._given: tuple[Msg, ...] = ()
        self._runner = asyncio.Runner()
        try:
            self._subscription = self._run(self._open(means), self._where)
        except BaseException:
            self.close()
            raise

    def next(self) -> Portion | None:
        messages = self._run(self._fetch(), self._stream)
        if not messages:
            return None
        last = messages[-1].metadata
        self._given = tuple(messages)
        return Portion(self._cuts(messages), f"{last.stream} {last.sequence.stream}", self._given)

    def hold(self, portion: Portion) -> None:
        async def hold_all() -> None:
            for message in portion.token:
                await message.in_progress()
            await self._open_client().flush()

        self._run(hold_all(), self._stream)

    def confirm(self, portion: Portion) -> None:
        async def acknowledge_all() -> None:
            for message in portion.token:
                await message.ack()
            await self._open_client().flush()  # answered when the server has them all

        self._run(acknowledge_all(), self._stream)
        self._given = ()

    def lag(self) -> int | None:
        async def ask() -> int:
            told = await self._subscription.consumer_info()
            return told.num_pending or 0

        return self._run(ask(), self._stream)

    def close(self) -> None:
        """Give back what was not acknowledged, so that it comes again at once."""

        async def give_back() -> None:
            if self._client is None:
                return
            if self._client.is_connected:
                for message in self._given:
                    await message.nak()
            await self._client.close()

        with suppress(Exception):
            self._runner.run(give_back())
        self._runner.close()

    async def _open(self, means: PullMeans) -> JetStreamContext.PullSubscription:
        settings = self._settings
        password = means.secrets("password") if settings.username else ""
        credentials = settings.credentials_file
        if credentials is not None and not credentials.is_file():
            raise PullError(f"{credentials}: no such file; correct credentials_file")
        self._client = Client()
        connecting = self._client.connect(
            list(settings.servers),
            name="tocsin",
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=_CONNECT_S,
            error_cb=self._hear,
            user=settings.username or None,
            password=password or None,
            token=means.secrets("token") or None,
            user_credentials=str(credentials) if credentials is not None else None,
            tls=_tls(settings),
        )
        try:
            await asyncio.wait_for(connecting, 2 * _CONNECT_S)
        except TimeoutError as error:
            raise PullError(f"{self._where}: {self._refused or 'no server answers'}") from error
        try:
            return await self._client.jetstream().pull_subscribe(
                settings.subject,
                durable=settings.consumer,
                stream=settings.stream,
                config=ConsumerConfig(
                    ack_policy=AckPolicy.EXPLICIT,
                    ack_wait=settings.ack_wait_s,
                    max_ack_pending=4 * _AT_ONCE,
                ),
            )
        except NotFoundError as error:
            raise PullError(
                f"{self._stream}: there is no such stream; make it, or correct stream"
            ) from error

    async def _fetch(self) -> list[Msg]:
        if not self._open_client().is_connected:
            raise PullError(f"{self._where}: the connection was lost {self._refused}".rstrip())
        try:
            return await self._subscription.fetch(_AT_ONCE, timeout=_WAIT_S)
        except TimeoutError:  # the library's own is one; some it raises bare
            return []

    def _open_client(self) -> Client:
        if self._client is None:
            raise PullError(f"{self._where}: not connected")
        return self._client

    async def _hear(self, error: Exception) -> None:
        self._refused = str(error).removeprefix("nats: ") or type(error).__name__

    def _run(self, work: Coroutine[Any, Any, _T], where: str) -> _T:
        try:
            return self._runner.run(work)
        except NoServersError as error:
            raise PullError(f"{where}: {self._refused or 'no server answers'}") from error
        except (NatsError, OSError, ssl.SSLError, ValueError) as error:
            told = str(error).removeprefix("nats: ") or type(error).__name__
            raise PullError(f"{where}: {self._refused or told}") from error

    def _cuts(self, messages: list[Msg]) -> Iterator[Cut]:
        maker = Maker(
            self._source, self._stream, datetime.now(UTC), connector=self._settings.connector
        )
        told = (
            (message.data, f"nats {message.subject}@{message.metadata.sequence.stream}")
            for message in messages
        )
        return cut_messages(told, maker)


def _tls(settings: NatsSettings) -> ssl.SSLContext | None:
    if settings.tls_ca is None and not any(one.startswith("tls:") for one in settings.servers):
        return None
    try:
        return ssl.create_default_context(cafile=settings.tls_ca)
    except (OSError, ssl.SSLError) as error:
        raise PullError(f"{settings.tls_ca}: no certificates can be read: {error}") from error
