"""Objects of a real S3 and SQS (moto's, on loopback) come in, each once, and the broken aside."""

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import boto3
import pytest
import zstandard
from botocore.config import Config

from tests.ingest.aws_server import aws_server
from tests.ingest.pulling import KeptInMemory, Spool, means, pulling, wait_for_error
from tests.server_process import wait_until
from tocsin.ingest.pull.pull_s3 import open_pull
from tocsin.ingest.pull.pull_settings import S3Settings

KEYS = {
    "aws_access_key_id": "AKIDTEST",
    "aws_secret_access_key": "secret",
    "region_name": "us-east-1",
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with aws_server() as opened:
        yield opened


@pytest.fixture(scope="module")
def clients(address: str) -> Iterator[tuple[Any, Any]]:
    plain = Config(request_checksum_calculation="when_required")
    made = [
        boto3.client(name, endpoint_url=address, config=plain, **KEYS) for name in ("s3", "sqs")
    ]
    yield made[0], made[1]
    for one in made:
        one.close()


class Store:
    """A bucket of one test, and its queue."""

    def __init__(self, clients: tuple[Any, Any], address: str, name: str) -> None:
        self.s3, self.sqs = clients
        self.address, self.bucket = address, name
        self.s3.create_bucket(Bucket=name)
        self.queue = self.sqs.create_queue(QueueName=name)["QueueUrl"]

    def put(self, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)

    def tell(self, *keys: str, wrap: str = "") -> None:
        """Put a notice of the keys into the queue, as S3 does, or wrapped by SNS."""
        records = [
            {
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": self.bucket}, "object": {"key": quote_plus(key)}},
            }
            for key in keys
        ]
        body = json.dumps({"Records": records})
        if wrap == "sns":
            body = json.dumps({"Type": "Notification", "Message": body})
        self.send(body)

    def send(self, body: str) -> None:
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=body)

    def waiting(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)
        return sum(int(told["Attributes"][name]) for name in names)

    def settings(self, **more: Any) -> S3Settings:
        told = {
            "name": "trail",
            "endpoint_url": self.address,
            "access_key_id": "AKIDTEST",
            "secret_access_key_file": Path("unused"),
            "wait_s": 0,
        }
        return S3Settings(**{**told, **more})


@pytest.fixture
def store(clients: tuple[Any, Any], address: str, request: pytest.FixtureRequest) -> Store:
    name = request.node.name.replace("_", "-").replace("[", "-").replace("]", "")[:60].strip("-")
    return Store(clients, address, name)


SECRETS = {"secret_access_key": "secret"}


def test_notices_bring_objects_of_any_form_and_are_deleted_then(store: Store) -> None:
    store.put("a/lines.log", b"first line\nsecond line\n")
    store.put("a b/ndjson+.json.gz", gzip.compress(b'{"n":1}\n{"n":2}\n'))
    store.put("trail.json", json.dumps({"Records": [{"n": 3}, {"n": 4}]}).encode())
    store.put("packed.zst", zstandard.ZstdCompressor().compress(b'{"n":5}\n'))
    store.send(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}))
    store.tell("a/lines.log", "a b/ndjson+.json.gz")
    store.tell("trail.json", wrap="sns")
    store.tell("packed.zst")
    spool = Spool()
    settings = store.settings(queue_url=store.queue)
    with pulling(lambda: open_pull(settings, means("s3/trail", **SECRETS)), spool) as loop:
        lines = spool.wait_for(7)
        wait_until(lambda: store.waiting() == 0, "the queue to be empty")
        assert loop.look().error == ""
    assert sorted(line.replace(b" ", b"") for line in lines) == sorted(
        [b"firstline", b"secondline", *(b'{"n":%d}' % number for number in range(1, 6))]
    )
    assert {batch.source for batch in spool.batches} == {"s3/trail"}
    assert f"s3://{store.bucket}/a b/ndjson+.json.gz" in {one.place for one in spool.batches}
    assert not spool.asides


def test_a_broken_object_is_set_aside_by_name_and_stalls_nothing(store: Store) -> None:
    store.put("cut.gz", gzip.compress(b"x" * 100_000)[:-20])
    store.put("huge.log", b"y" * 5_000)
    store.put("good.log", b"fine\n")
    store.send("no notice at all")
    store.tell("cut.gz", "huge.log", "missing.log", "good.log")
    spool = Spool()
    settings = store.settings(queue_url=store.queue, object_limit_bytes=4_000)
    with pulling(lambda: open_pull(settings, means(**SECRETS)), spool):
        wait_until(lambda: b"fine" in spool.lines, "the good one")
        wait_until(lambda: store.waiting() == 0, "the queue to be empty")
    reasons = {one.place.rpartition("/")[2]: one.reason for one in spool.asides}
    assert "can't be read on" in reasons["cut.gz"]
    assert "object_limit_bytes" in reasons["huge.log"]
    assert "gone" in reasons["missing.log"]
    assert any("no JSON" in one.reason for one in spool.asides)


def test_what_unpacks_without_end_is_cut_at_the_limit(store: Store) -> None:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        for _ in range(200):
            file.write(b"z" * 999 + b"\n")
    store.put("bomb.gz", packed.getvalue())
    settings = store.settings(bucket=store.bucket, unpacked_limit_bytes=100_000, interval_s=0.05)
    spool = Spool()
    with pulling(lambda: open_pull(settings, means(**SECRETS)), spool):
        wait_until(lambda: bool(spool.asides), "the limit")
    assert "100,000" in spool.asides[0].reason
    assert sum(len(one.payload) for one in spool.batches) <= 200_000


def test_listing_goes_on_behind_the_last_key_after_a_restart(store: Store) -> None:
    for number in range(3):
        store.put(f"logs/2026-11-0{number}.log", b"line %d" % number)
    store.put("other/x.log", b"not ours")
    kept, spool = KeptInMemory(), Spool()
    settings = store.settings(bucket=store.bucket, prefix="logs/", interval_s=0.05)

    def open_() -> Any:
        return open_pull(settings, means(kept=kept, **SECRETS))

    with pulling(open_, spool):
        spool.wait_for(3)
    store.put("logs/2026-11-03.log", b"line 3")
    with pulling(open_, spool):
        spool.wait_for(4)
    assert spool.lines == [b"line %d" % number for number in range(4)]
    assert kept.load()["key"] == "logs/2026-11-03.log"


def test_a_full_spool_stops_pulling_and_loses_nothing(store: Store) -> None:
    store.put("a.log", b"kept")
    store.tell("a.log")
    spool = Spool()
    spool.is_full.set()
    settings = store.settings(queue_url=store.queue)
    with pulling(lambda: open_pull(settings, means(**SECRETS)), spool) as loop:
        assert spool.refused.wait(60)
        wait_until(lambda: loop.look().state == "full", "the state to say so")
        assert store.waiting() == 1
        spool.is_full.clear()
        spool.wait_for(1)
        wait_until(lambda: store.waiting() == 0, "the queue to be empty")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"bucket": "no-such-bucket"}, ("no-such-bucket", "NoSuchBucket", "s3:ListBucket")),
        (
            {"queue_url": "http://127.0.0.1/123456789012/nothing"},
            ("NonExistentQueue", "sqs:GetQueueAttributes"),
        ),
        ({"bucket": "any", "endpoint_url": "http://127.0.0.1:9"}, ("127.0.0.1:9",)),
    ],
    ids=["no bucket", "no queue", "server down"],
)
def test_what_is_wrong_is_said_in_words(
    clients: tuple[Any, Any], address: str, wrong: dict[str, str], words: tuple[str, ...]
) -> None:
    told = {
        "name": "trail",
        "endpoint_url": address,
        "access_key_id": "AKIDTEST",
        "secret_access_key_file": Path("unused"),
    }
    settings = S3Settings(**{**told, **wrong})
    with pulling(lambda: open_pull(settings, means(**SECRETS)), Spool()) as loop:
        error = wait_for_error(loop, *words)
    assert "secret" not in error
