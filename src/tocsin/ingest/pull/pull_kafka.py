"""Pulls topics of Kafka as a member of a consumer group, which keeps the position."""

from collections import deque
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tocsin.ingest.cutting.cutting import Cut, Maker
from tocsin.ingest.pull.pull import Portion, Pulled, PullError, PullMeans
from tocsin.ingest.pull.pull_messages import cut_messages
from tocsin.ingest.pull.pull_settings import KafkaSettings
from tocsin.ingest.pull.pull_tls import check_tls_files

_AT_ONCE = 5_000
_WAIT_S = 1.0
_GATHER_S = 0.05
_log = structlog.get_logger()
_CONNECT_TRIES = 10
_HOPELESS = (KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION)


def open_pull(settings: KafkaSettings, means: PullMeans) -> Pulled:
    """Connect to a broker, see that the topics are there, and join the group."""
    return Topics(settings, means)


class Topics:
    """The offsets of a portion are committed once it is on disk, never by a clock."""

    idle_s = 0.0

    def __init__(self, settings: KafkaSettings, means: PullMeans) -> None:
        self._settings = settings
        self._source = means.source
        self._heard = ""
        self._is_hopeless = False
        self._early: deque[Message] = deque()
        self._where = f"Kafka at {', '.join(settings.brokers)}"
        check_tls_files(self._where, settings.tls_ca, settings.tls_certificate, settings.tls_key)
        try:
            self._consumer = Consumer(
                {**_configuration(settings, means), "error_cb": self._hear}, logger=_Quiet()
            )
        except (KafkaException, ValueError, TypeError) as error:
            raise PullError(f"{self._where}: {_words(error)}") from error
        try:
            self._see_topics()
            self._consumer.subscribe(list(settings.topics))
        except BaseException:
            self._consumer.close()
            raise

    def next(self) -> Portion | None:
        messages = list(self._early)
        self._early.clear()
        if not messages:
            with _told(self._where):
                messages = self._consumer.consume(1, _WAIT_S)
                if messages:
                    messages += self._consumer.consume(_AT_ONCE, _GATHER_S)
        if not messages:
            if self._heard:
                heard, self._heard = self._heard, ""
                raise PullError(f"{self._where}: {heard}")
            return None
        for message in messages:
            if (error := message.error()) is not None:
                raise PullError(f"{self._where}: {message.topic() or ''}: {error.str()}")
        self._heard = ""
        after = {(_topic(one), _number(one.partition())): _number(one.offset()) for one in messages}
        place = ", ".join(f"{topic}[{part}]@{offset}" for (topic, part), offset in after.items())
        return Portion(self._cuts(messages), place, after)

    def hold(self, portion: Portion) -> None:
        """Stay in the group without being given more; what comes all the same is not lost."""
        with _told(self._where):
            self._consumer.pause(self._consumer.assignment())
            if (message := self._consumer.poll(0)) is not None:
                self._early.append(message)

    def confirm(self, portion: Portion) -> None:
        offsets = [
            TopicPartition(topic, part, offset + 1)
            for (topic, part), offset in portion.token.items()
        ]
        with _told(f"{self._where}: the offsets were not committed"):
            for one in self._consumer.commit(offsets=offsets, asynchronous=False) or ():
                if one.error is not None:
                    raise KafkaException(one.error)
            self._consumer.resume(self._consumer.assignment())

    def lag(self) -> int | None:
        """Messages behind our position in the partitions that are ours."""
        waiting = 0
        try:
            for one in self._consumer.position(self._consumer.assignment()):
                ends = self._consumer.get_watermark_offsets(one, cached=True)
                if ends is not None and one.offset >= 0:
                    waiting += max(0, ends[1] - one.offset)
        except (KafkaException, RuntimeError):
            return None
        return waiting

    def close(self) -> None:
        with suppress(KafkaException, RuntimeError):
            self._consumer.close()

    def _hear(self, error: KafkaError) -> None:
        """What librdkafka says beside the messages: refused passwords, brokers that are away."""
        self._is_hopeless = self._is_hopeless or error.code() in _HOPELESS
        if error.code() != KafkaError._ALL_BROKERS_DOWN or not self._heard:
            self._heard = error.str()

    def _see_topics(self) -> None:
        known = self._known_topics()
        missing = [topic for topic in self._settings.topics if topic not in known]
        if missing:
            raise PullError(
                f"{self._where}: there is no topic {', '.join(missing)}, or this user may not "
                "describe it; make it, or correct topics"
            )

    def _known_topics(self) -> Container[str]:
        """Tries for ten seconds, or until it is clear that it can't be."""
        for _ in range(_CONNECT_TRIES):
            try:
                known: dict[str, object] = self._consumer.list_topics(timeout=1.0).topics
                return known
            except KafkaException as error:
                self._consumer.poll(0)  # hears why
                last = _words(error)
            if self._is_hopeless:
                break
        raise PullError(f"{self._where}: {self._heard or last}")

    def _cuts(self, messages: list[Message]) -> Iterator[Cut]:
        maker = Maker(
            self._source, self._where, datetime.now(UTC), connector=self._settings.connector
        )
        filled = (
            (value, f"kafka {_topic(one)}[{one.partition()}]@{one.offset()}")
            for one in messages
            if (value := one.value())
        )
        return cut_messages(filled, maker)


@contextmanager
def _told(where: str) -> Iterator[None]:
    """What the client raises inside, as PullError that says where."""
    try:
        yield
    except (KafkaException, RuntimeError) as error:
        raise PullError(f"{where}: {_words(error)}") from error


def _words(error: Exception) -> str:
    told = error.args[0] if error.args else error
    return told.str() if isinstance(told, KafkaError) else str(told)


class _Quiet:
    """Takes what librdkafka writes about its connections; what matters comes as errors too."""

    def log(self, level: int, text: str, *told: object) -> None:
        _log.debug("librdkafka", level=level, told=text % told)


def _topic(message: Message) -> str:
    return message.topic() or ""


def _number(told: int | None) -> int:
    return -1 if told is None else told


def _configuration(settings: KafkaSettings, means: PullMeans) -> dict[str, Any]:
    told: dict[str, Any] = {
        "bootstrap.servers": ",".join(settings.brokers),
        "client.id": "tocsin",
        "group.id": settings.group,
        "auto.offset.reset": settings.start,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": False,
        "socket.timeout.ms": 20_000,
        "session.timeout.ms": 45_000,
        "max.poll.interval.ms": 600_000,
        "queued.max.messages.kbytes": 65_536,
    }
    if settings.username:
        told |= {
            "sasl.mechanism": settings.sasl,
            "sasl.username": settings.username,
            "sasl.password": means.secrets("password"),
        }
    secure = "SSL" if settings.tls else "PLAINTEXT"
    told["security.protocol"] = f"SASL_{secure}" if settings.username else secure
    files = {
        "ssl.ca.location": settings.tls_ca,
        "ssl.certificate.location": settings.tls_certificate,
        "ssl.key.location": settings.tls_key,
    }
    return told | {name: str(path) for name, path in files.items() if path is not None}
