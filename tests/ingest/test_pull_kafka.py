"""Topics of Kafka come in through the real client; the brokers are librdkafka's own, on loopback."""

import gzip
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.ingest.pulling import Spool, means, pulling, wait_for_error
from tests.server_process import wait_until
from tocsin.ingest.pull_kafka import open_pull
from tocsin.ingest.pull_settings import KafkaSettings


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
