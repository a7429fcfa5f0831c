"""Topics of Kafka come in through the real client; the brokers are librdkafka's own, on loopback."""

import asyncio
import gzip
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from confluent_kafka import Consumer, Producer, TopicPartition
from pydantic import ValidationError

from tests.gate import gate
from tests.ingest.certificates import Authority, Pair
from tests.ingest.pulling import Spool, means, pulling, wait_for_error
from tests.server_process import wait_until
from tocsin.ingest.pull import pull_kafka
from tocsin.ingest.pull.pull import PullError
from tocsin.ingest.pull.pull_kafka import open_pull
from tocsin.ingest.pull.pull_settings import KafkaSettings


class Cluster:
    """Brokers within the producer's process: they live as long as it."""

    def __init__(self) -> None:
        self.producer = Producer(
            {
                "test.mock.num.brokers": 1,
                "log_level": 0,
                "linger.ms": 0,
                "queue.buffering.max.ms": 0,
            }
        )
        known = self.producer.list_topics(timeout=60).brokers.values()
        self.brokers = tuple(f"{one.host}:{one.port}" for one in known)

    def send(self, topic: str, *messages: bytes | None) -> None:
        for message in messages:
            self.producer.produce(topic, message, partition=0)
        assert self.producer.flush(60) == 0

    def committed(self, topic: str, group: str) -> int:
        asking = Consumer({"bootstrap.servers": ",".join(self.brokers), "group.id": group})
        try:
            return int(asking.committed([TopicPartition(topic, 0)], timeout=60)[0].offset)
        finally:
            asking.close()

    def settings(self, **more: Any) -> KafkaSettings:
        return KafkaSettings(**{"name": "edge", "brokers": self.brokers, **more})


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.producer.flush(10)


def test_messages_come_in_and_offsets_follow_the_disk(cluster: Cluster) -> None:
    cluster.send(
        "events",
        b'{"n":1}',
        b"<13>Oct 11 22:14:15 host app: plain syslog",
        None,
        b'[{"n":2},{"n":3}]',
        gzip.compress(b'{"n":4}\n{"n":5}\n'),
        b"\x00\x01\x02\x03avro",
    )
    settings, spool = cluster.settings(topics=("events",)), Spool()
    spool.is_full.set()

    def open_() -> Any:
        return open_pull(settings, means("kafka/edge"))

    with pulling(open_, spool) as loop:
        assert spool.refused.wait(60)
        assert cluster.committed("events", "tocsin") < 0  # nothing is on disk yet
        spool.is_full.clear()
        spool.wait_for(6)
        wait_until(lambda: cluster.committed("events", "tocsin") == 6, "the offset")
        assert loop.look().position == "events[0]@5"
        cluster.send("events", b'{"n":6}')
        spool.wait_for(7)
        wait_until(lambda: cluster.committed("events", "tocsin") == 7, "the next offset")
    assert spool.lines[0] == b'{"n":1}'
    assert spool.lines[-1] == b'{"n":6}'
    assert "binary" in spool.asides[0].reason
    assert spool.asides[0].place == "kafka events[0]@5"
    assert spool.batches[0].place == "kafka events[0]@0"


def test_a_topic_that_is_not_there_is_named(cluster: Cluster) -> None:
    settings = cluster.settings(topics=("nothing",))
    with pulling(lambda: open_pull(settings, means()), Spool()) as loop:
        wait_for_error(loop, "no topic nothing", "correct topics")


def test_brokers_that_are_away_are_named() -> None:
    settings = KafkaSettings(name="edge", brokers=("127.0.0.1:9",), topics=("events",))
    with pulling(lambda: open_pull(settings, means()), Spool()) as loop:
        told = wait_for_error(loop, "127.0.0.1:9")
    assert "Kafka at" in told


def test_a_password_never_shows(cluster: Cluster) -> None:
    settings = cluster.settings(topics=("events",), username="me", password_env="KAFKA")
    with pulling(lambda: open_pull(settings, means(password="hush-hush")), Spool()) as loop:
        told = wait_for_error(loop, "Kafka at")
    assert "hush" not in told


@contextmanager
def spoken_over_tls(cluster: Cluster, pair: Pair, client_ca: Path) -> Iterator[str]:
    """TLS before the first broker, for senders that ``client_ca`` knows: where it listens."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(pair.certificate, pair.key)
    host, _, port = cluster.brokers[0].partition(":")

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while block := await reader.read(1 << 16):
                writer.write(block)
                await writer.drain()
        writer.close()

    async def talk(
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        broker: asyncio.StreamReader,
        to_broker: asyncio.StreamWriter,
    ) -> None:
        await asyncio.gather(copy(client, to_broker), copy(broker, to_client))

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(gate((host, int(port)), talk, context)) as listening,
    ):
        yield f"127.0.0.1:{listening}"


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.issue("client")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_both_sides_show_certificates(
    cluster: Cluster, authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    cluster.send("guarded", b"{}")
    shown = {"tls": True, "tls_certificate": pair.certificate, "tls_key": pair.key}
    server = authority.issue("broker")
    with spoken_over_tls(cluster, server, authority.certificate) as address:
        settings = KafkaSettings(
            name="edge",
            **{"brokers": (address,), "topics": ("guarded",), "tls_ca": authority.certificate},
            **shown,
        )
        open_pull(settings, means()).close()
        stranger = Authority(tmp_path, "stranger")
        with pytest.raises(PullError, match="verify failed"):
            open_pull(settings.model_copy(update={"tls_ca": stranger.certificate}), means())


def test_a_file_that_can_not_be_used_is_named(
    cluster: Cluster, authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("nothing of use")
    old, other = authority.issue("old", days=-1), authority.issue("other")
    for files, told in (
        ({"tls_ca": tmp_path / "none.pem"}, "tls_ca .*none.pem: can't be read: No such file"),
        ({"tls_ca": junk}, "tls_ca .*junk.pem: no certificate in PEM"),
        ({"tls_certificate": pair.certificate, "tls_key": other.key}, "tls_key .* not the key of"),
        ({"tls_certificate": pair.certificate, "tls_key": junk}, "tls_key .*no unencrypted"),
        ({"tls_certificate": old.certificate, "tls_key": old.key}, "old.pem: expired on 20"),
    ):
        settings = cluster.settings(topics=("events",), tls=True, **files)
        with pytest.raises(PullError, match=told):
            open_pull(settings, means())


def test_certificates_without_tls_are_refused() -> None:
    with pytest.raises(ValidationError, match="needs tls = true"):
        KafkaSettings(name="edge", brokers=("b:1",), topics=("t",), tls_ca=Path("ca.pem"))


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, {"security.protocol": "PLAINTEXT"}),
        ({"tls": True}, {"security.protocol": "SSL"}),
        (
            {"username": "me", "password_env": "KAFKA"},
            {
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": "me",
                "sasl.password": "hush-hush",
            },
        ),
        (
            {"tls": True, "sasl": "PLAIN", "username": "me", "password_env": "KAFKA"},
            {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"},
        ),
    ],
)
def test_what_is_set_reaches_the_client(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], wanted: dict[str, str]
) -> None:
    given: dict[str, Any] = {}

    class Told(Exception):
        pass

    def consumer(told: dict[str, Any], **_: object) -> None:
        given.update(told)
        Consumer({name: value for name, value in told.items() if name != "error_cb"}).close()
        raise Told

    monkeypatch.setattr(pull_kafka, "Consumer", consumer)
    settings = KafkaSettings(name="edge", brokers=("127.0.0.1:9",), topics=("events",), **more)
    with pytest.raises(Told):
        open_pull(settings, means(password="hush-hush"))
    assert given.items() >= wanted.items()
    assert ("sasl.password" in given) == ("username" in more)
