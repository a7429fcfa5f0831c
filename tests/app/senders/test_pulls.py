"""Pulls of a whole platform: shown where sources are, tried by hand, killed in the middle."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import boto3
import pytest
from botocore.config import Config
from typer.testing import CliRunner

from tests.ingest.aws_server import aws_server
from tests.places import SOURCE
from tests.server_process import wait_until
from tocsin.app.health.health_watch import troubles_in
from tocsin.app.health_now import health_now, with_waiting
from tocsin.app.senders.pull_check import check_pull_once, find_pull
from tocsin.app.senders.source_ledgers import source_ledgers
from tocsin.app.settings.config import ConfigError, load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.cli.commands.sources import app as command
from tocsin.model.intake import IntakeState

KEYS = {"aws_access_key_id": "AKID", "aws_secret_access_key": "s", "region_name": "us-east-1"}
RECORD = b'{"timestamp":"2026-11-21T10:00:00Z","message":"from an API"}'


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    """Answers every GET with one record."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(RECORD)))
            self.end_headers()
            self.wfile.write(RECORD)

        def log_message(self, format: str, *told: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/log"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def config(api: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pulls") / "tocsin.toml"
    path.write_text(f"""
        home = "{path.parent}/home"
        [syslog]
        enabled = false
        [[pull.http]]
        name = "api"
        url = "{api}"
        [[pull.http]]
        name = "away"
        url = "http://127.0.0.1:9/log"
        interval_s = 0.1
        [[pull.kafka]]
        name = "unread"
        brokers = ["127.0.0.1:9"]
        topics = ["t"]
        username = "me"
        password_file = "{path.parent}/no-such-file"
    """)
    return path


@pytest.fixture(scope="module")
def house(config: Path) -> Iterator[Tocsin]:
    opened = open_tocsin(load_settings(config))
    opened.pulls.start()
    yield opened
    opened.pulls.stop()
    opened.close()


def _states(house: Tocsin) -> dict[str, IntakeState]:
    return {one.name: one.state for one in house.intakes()}


def test_what_is_pulled_is_stored_and_shown_and_what_is_away_too(house: Tocsin) -> None:
    wanted = {
        "http/api": IntakeState.CONNECTED,
        "http/away": IntakeState.FAILING,
        "kafka/unread": IntakeState.FAILING,
    }
    wait_until(lambda: _states(house) == wanted, f"{wanted}")
    house.flow.drain()
    now = datetime.now(UTC)
    health = with_waiting(house, health_now(house, now), now)
    told = {one.ledger.name: one.ledger for one in health.sources}
    assert told["http/api"].stored == 1
    assert told["http/api"].intake is not None
    away = told["http/away"].intake
    assert away is not None
    assert "127.0.0.1:9" in away.error
    assert told["http/away"].received == 0
    unread = told["kafka/unread"].intake
    assert unread is not None
    assert "password_file" in unread.error


def test_what_is_away_for_long_is_a_health_trouble(house: Tocsin) -> None:
    wait_until(lambda: _states(house)["http/away"] is IntakeState.FAILING, "a failure")
    later = datetime.now(UTC) + timedelta(minutes=6)
    health = with_waiting(house, health_now(house, later), later)
    away = next(one for one in health.sources if one.ledger.name == "http/away")
    assert [one.title for one in away.troubles] == ["Log source can't be fetched"]
    with house.state.read() as tx:
        numbers = house.upkeep.measure(tx, later).numbers
    named = {number.name for _, number in troubles_in(house.ruleset.health, numbers)}
    assert "http/api" not in named


def test_a_pull_is_tried_by_hand(config: Path) -> None:
    told = check_pull_once(*find_pull(load_settings(config).pull, "api"), wait_s=30)
    assert (told.name, told.error, told.problems) == ("http/api", "", [])
    assert told.lanes.total() == 1
    done = CliRunner().invoke(command, ["check-pull", "api", "--config", str(config)])
    assert done.exit_code == 0, done.output
    assert "1 records recognized as" in done.output
    done = CliRunner().invoke(command, ["check-pull", "http/away", "--config", str(config)])
    assert done.exit_code == 2
    assert "127.0.0.1:9" in done.output
    done = CliRunner().invoke(command, ["check-pull", "nothing", "--config", str(config)])
    assert done.exit_code == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[pull.s3]]\nname = "a"\n', ["pull.s3.0", "bucket", "queue_url"]),
        ('[[pull.s3]]\nname = "a"\nbucket = "b"\naccess_key_id = "k"\n', ["pull.s3.0", "secret"]),
        ('[[pull.kafka]]\nname = "a"\n', ["pull.kafka.0.brokers", "pull.kafka.0.topics"]),
        ('[[pull.nats]]\nname = "A B"\nservers = ["nats://x"]\nstream = "s"', ["pull.nats.0.name"]),
        ('[[pull.http]]\nname = "a"\nurl = "http://x"\n' * 2, ["two of http", "'a'"]),
        ('[[webhooks]]\nname = "a"\n', ["webhooks.0", "secret_file"]),
        ('[[pull.ftp]]\nname = "a"\n', ["pull.ftp"]),
    ],
)
def test_settings_that_can_not_work_name_the_key(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    path = tmp_path / "tocsin.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_settings(path)
    for word in words:
        assert word in str(refused.value)


def test_a_kind_s_library_is_imported_by_its_own_files_alone() -> None:
    """So a server without pulls, and without a bucket, starts as fast as before."""
    s3 = {"pull_s3.py", "s3_vault.py"}
    expected = {
        "boto3": s3,
        "botocore": s3,
        "confluent_kafka": {"pull_kafka.py"},
        "nats": {"pull_nats.py"},
    }
    for library, own in expected.items():
        users = {
            path.name
            for path in SOURCE.rglob("*.py")
            if f"import {library}" in (text := path.read_text("utf-8")) or f"from {library}" in text
        }
        assert users == own
    kinds = {f"ingest.pull.pull_{kind}" for kind in ("s3", "kafka", "nats", "http")}
    kinds.add("store.engines.s3_vault")
    for path in SOURCE.rglob("*.py"):
        imported = {kind for kind in kinds if f"tocsin.{kind} import" in path.read_text()}
        assert not imported, f"{path} imports {imported} whether it is configured or not"


PULLING = """
import sys, threading
from pathlib import Path
from tocsin.app.settings.config import load_settings
from tocsin.app.senders.source_ledgers import source_ledgers
from tocsin.app.wiring import open_tocsin
open_tocsin(load_settings(Path(sys.argv[1]))).pulls.start()
threading.Event().wait()
"""


class Trail:
    """A queue with a notice of one object, behind an SQS that kills who first deletes a notice."""

    def __init__(self, address: str, folder: Path) -> None:
        plain = Config(request_checksum_calculation="when_required")
        self.s3, self.sqs = (
            boto3.client(name, endpoint_url=address, config=plain, **KEYS) for name in ("s3", "sqs")
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.queue = self.sqs.create_queue(QueueName="killed")["QueueUrl"]
        self.s3.create_bucket(Bucket="killed")
        lines = [json.dumps({"message": f"record {n}", "number": n}) for n in range(500)]
        self.s3.put_object(Bucket="killed", Key="log", Body="\n".join(lines).encode())
        place = {"bucket": {"name": "killed"}, "object": {"key": "log"}}
        body = json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": place}]})
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=body)
        (folder / "key").write_text("s")
        self.config = folder / "tocsin.toml"
        self.config.write_text(f"""
            home = "{folder}/home"
            detect.shipped_pack = false
            [[pull.s3]]
            name = "trail"
            queue_url = "{self.queue}"
            endpoint_url = "{address}"
            access_key_id = "AKID"
            secret_access_key_file = "{folder}/key"
            wait_s = 0
        """)

    def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", PULLING, str(self.config)]
        )

    def kill_once(self, target: str, body: bytes) -> bool:
        """The records are on disk, the notice is not deleted: SIGKILL; then it comes again."""
        if target.endswith("DeleteMessage") and self.process is not None:
            self.process.kill()
            self.process.wait(60)
            self.sqs.change_message_visibility(VisibilityTimeout=0, **json.loads(body))
            self.process = None
            return True
        return False

    def left(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)
        return sum(int(told["Attributes"][name]) for name in names)


@pytest.mark.slow
def test_killed_between_the_disk_and_the_acknowledgement_nothing_is_lost(tmp_path: Path) -> None:
    """The next process takes the notice again: each record comes at least once."""
    trails: list[Trail] = []
    with aws_server(lambda *told: any(one.kill_once(*told) for one in trails)) as address:
        trail = Trail(address, tmp_path)
        trail.start()
        trails.append(trail)
        wait_until(lambda: trail.process is None, "the kill")
        house = open_tocsin(load_settings(trail.config))
        try:
            assert house.spool.backlog_bytes() > 0
            house.pulls.start()
            wait_until(lambda: trail.left() == 0, "the notice to be deleted")
            house.pulls.stop()
            house.flow.drain()
            _, rows, _ = house.events.sql("SELECT native.number FROM events", 2_000)
            told = source_ledgers(house.state, house.sources, house.spool, datetime.now(UTC))
        finally:
            house.close()
            trail.s3.close()
            trail.sqs.close()
    assert [one.received for one in told.ledgers] == [len(rows)] == [1_000]
    assert {int(row[0]) for row in rows} == set(range(500))
