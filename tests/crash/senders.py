"""Clients that send numbered records without end, and know which of them they were told are safe."""

import itertools
import json
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import elasticsearch
import elasticsearch.helpers
import httpx2

BATCH = 20
_PATIENCE_S = 10.0
_PAUSE_S = 0.2
_CONFLICT = 409
Record = dict[str, Any]


class Refused(Exception):
    """The server answered that it has not taken the records in."""


@dataclass(frozen=True, slots=True)
class Client:
    """``send`` returns when it was told that the records are safe, and raises when it was not.

    ``is_named``: the protocol names what is sent, so that what is sent again is stored once.
    """

    send: Callable[[Sequence[Record]], None]
    close: Callable[[], None]
    is_named: bool = False


class Sender(threading.Thread):
    """Sends batch after batch; one that was not acknowledged is sent again, as real senders do."""

    def __init__(self, name: str, client: Client) -> None:
        super().__init__(name=name, daemon=True)
        self._client = client
        self._stop_asked = threading.Event()
        self.acknowledged = 0
        """Records 0 to this number, without it, were acknowledged."""
        self.tries: Counter[int] = Counter()
        """By the first number of a batch: how often it was sent, when more than once."""
        self.refusals: Counter[str] = Counter()

    @property
    def most_copies(self) -> int:
        """How many records more than one of each may be stored: those that were sent again."""
        return 0 if self._client.is_named else sum(self.tries.values()) * BATCH

    def run(self) -> None:
        try:
            self._send_all()
        finally:
            self._client.close()

    def _send_all(self) -> None:
        for first in itertools.count(0, BATCH):
            records = [
                {"sender": self.name, "number": number, "message": f"record {number}"}
                for number in range(first, first + BATCH)
            ]
            while not self._is_told(records):
                self.tries[first] += 1
                self._stop_asked.wait(_PAUSE_S)
            self.acknowledged = first + BATCH
            if self._stop_asked.is_set():
                return

    def _is_told(self, records: Sequence[Record]) -> bool:
        try:
            self._client.send(records)
        except (Refused, httpx2.HTTPError, elasticsearch.ApiError) as error:
            self.refusals[_kind(error)] += 1
        except elasticsearch.TransportError as error:
            self.refusals[_kind(error)] += 1
        else:
            return True
        return False

    def ask_to_stop(self) -> None:
        """The batch that is on its way is still brought home."""
        self._stop_asked.set()


def _kind(error: Exception) -> str:
    return str(error) if isinstance(error, Refused) else type(error).__name__


def ndjson_client(url: str, token: str) -> Client:
    """``POST /api/v1/events``, each body under a name."""
    client = _http(url, f"Bearer {token}")

    def send(records: Sequence[Record]) -> None:
        body = b"\n".join(json.dumps(record).encode() for record in records)
        about = {"source": "soak-ndjson", "once": str(records[0]["number"])}
        answer = client.post("/api/v1/events", content=body, params=about)
        _demand(answer, 200)
        if answer.json()["accepted"] not in (len(records), 0):  # 0: it had come before
            raise Refused(f"accepted {answer.json()['accepted']} of {len(records)}")

    return Client(send, client.close, is_named=True)


def hec_client(url: str, token: str) -> Client:
    """Splunk's way with a channel: events, then the acknowledgement id is asked for."""
    client = _http(url, f"Splunk {token}")
    client.headers["X-Splunk-Request-Channel"] = str(uuid.uuid4())

    def send(records: Sequence[Record]) -> None:
        body = b"".join(json.dumps({"event": record}).encode() for record in records)
        answer = client.post("/services/collector/event", content=body)
        _demand(answer, 200)
        ack = answer.json()["ackId"]
        told = client.post("/services/collector/ack", json={"acks": [ack]})
        _demand(told, 200)
        if told.json()["acks"] != {str(ack): True}:
            raise Refused("the acknowledgement id is not true")

    return Client(send, client.close)


def elastic_client(url: str, token: str) -> Client:
    """The bulk helper of Elastic's own client with ids; trying again is left to the sender."""
    client = elasticsearch.Elasticsearch(
        url, api_key=("soak", token), max_retries=0, request_timeout=_PATIENCE_S
    )

    def send(records: Sequence[Record]) -> None:
        about = {"_index": "soak", "_op_type": "create"}
        actions = [{**about, "_id": str(record["number"]), **record} for record in records]
        done, failed = elasticsearch.helpers.bulk(client, actions, raise_on_error=False)
        assert isinstance(failed, list)
        known = [one for one in failed if one["create"]["status"] == _CONFLICT]  # it is there
        if done + len(known) != len(records):
            raise Refused(f"bulk took {done}, failed {failed!r:.200}")

    return Client(send, client.close, is_named=True)


CLIENTS: dict[str, Callable[[str, str], Client]] = {
    "ndjson": ndjson_client,
    "hec": hec_client,
    "elastic": elastic_client,
}


def _http(url: str, authorization: str) -> httpx2.Client:
    return httpx2.Client(
        base_url=url,
        headers={"Authorization": authorization},
        timeout=_PATIENCE_S,
        trust_env=False,
    )


def _demand(answer: httpx2.Response, status: int) -> None:
    if answer.status_code != status:
        raise Refused(f"{answer.status_code}")
