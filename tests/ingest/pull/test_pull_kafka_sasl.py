"""Topics are read by a user whose password was proven to the broker, and by nobody else."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from tests.ingest.kafka_gate import KafkaGate, guarded
from tests.ingest.pulling import Spool, means, pulling
from tocsin.ingest.pull.pull import PullError
from tocsin.ingest.pull.pull_kafka import open_pull
from tocsin.ingest.pull.pull_settings import KafkaSettings

MECHANISMS = pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
PASSWORD = "pass, word=ü"


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """librdkafka's own, with one message; it lives as long as its producer."""
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (known,) = producer.list_topics(timeout=60).brokers.values()
    producer.produce("events", b'{"n":1}', partition=0)
    assert producer.flush(60) == 0
    yield f"{known.host}:{known.port}"
    producer.flush(10)


def _settings(gate: KafkaGate, mechanism: str, group: str) -> KafkaSettings:
    return KafkaSettings.model_validate(
        {
            "name": "edge",
            "brokers": (f"127.0.0.1:{gate.port}",),
            "topics": ("events",),
            "group": group,
            "sasl": mechanism,
            "username": "tocsin",
            "password_env": "KAFKA",
        }
    )


@MECHANISMS
def test_a_user_whose_password_is_right_is_let_in(broker: str, mechanism: str) -> None:
    with guarded(KafkaGate(broker, "tocsin", PASSWORD, mechanism)) as gate:
        open_pull(_settings(gate, mechanism, "others"), means(password=PASSWORD)).close()
        assert set(gate.admitted) == {mechanism}


def test_messages_come_in_through_connections_that_all_prove_it(broker: str) -> None:
    with guarded(KafkaGate(broker, "tocsin", PASSWORD, "SCRAM-SHA-512")) as gate:
        settings, spool = _settings(gate, "SCRAM-SHA-512", "readers"), Spool()
        with pulling(lambda: open_pull(settings, means(password=PASSWORD)), spool):
            spool.wait_for(1)
        assert len(gate.admitted) > 1
    assert spool.lines == [b'{"n":1}']


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_a_wrong_password_is_named_and_does_not_show(broker: str, mechanism: str) -> None:
    with guarded(KafkaGate(broker, "tocsin", PASSWORD, mechanism)) as gate:
        settings = _settings(gate, mechanism, "others")
        with pytest.raises(
            PullError, match=r"(?i)Kafka at 127.*authentication.*Who is this"
        ) as told:
            open_pull(settings, means(password="hush-hush"))
        assert "hush" not in str(told.value)
        assert not gate.admitted


def test_a_mechanism_the_broker_has_not_is_named(broker: str) -> None:
    with guarded(KafkaGate(broker, "tocsin", PASSWORD, "SCRAM-SHA-512")) as gate:
        with pytest.raises(PullError, match=r"(?i)mechanism"):
            open_pull(_settings(gate, "PLAIN", "others"), means(password=PASSWORD))
        assert not gate.admitted
