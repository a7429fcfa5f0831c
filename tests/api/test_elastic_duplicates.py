"""What Elastic's clients send again with its id is stored once, and answered as Elastic does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import elasticsearch
import elasticsearch.helpers
import pytest

from tests.api.listening import listening
from tests.api.sending import Door, close_door, open_door
from tocsin.store.ports import SpoolFull


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    opened = open_door(tmp_path_factory.mktemp("home"))
    yield opened
    close_door(opened)


@pytest.fixture(scope="module")
def client(door: Door) -> Iterator[Any]:
    with listening(door) as url, elasticsearch.Elasticsearch(url, api_key=door.token) as opened:
        yield opened


def ledger(door: Door, index: str) -> dict[str, Any]:
    answer = door.client.get("/api/v1/sources", headers={"Authorization": f"Bearer {door.token}"})
    (found,) = [one for one in answer.json()["sources"] if one["name"] == f"elastic/agent/{index}"]
    return dict(found)


def actions(index: str, count: int, verb: str = "create") -> list[dict[str, Any]]:
    return [
        {"_index": index, "_op_type": verb, "_id": f"id-{n}", "_source": {"n": n, "of": index}}
        for n in range(count)
    ]


def test_a_bulk_that_is_created_again_conflicts_and_is_stored_once(door: Door, client: Any) -> None:
    assert elasticsearch.helpers.bulk(client, actions("again", 50)) == (50, [])
    taken, errors = elasticsearch.helpers.bulk(client, actions("again", 60), raise_on_error=False)
    assert (taken, len(errors)) == (10, 50)
    item = errors[0]["create"]
    assert (item["_id"], item["status"]) == ("id-0", 409)
    assert item["error"]["type"] == "version_conflict_engine_exception"
    assert len(door.found('native.of:"again"')) == 60
    told = ledger(door, "again")
    assert (told["received"], told["stored"], told["duplicates"]) == (110, 60, 50)


def test_the_same_again_is_stored_once_and_other_content_as_an_event_more(
    door: Door, client: Any
) -> None:
    assert elasticsearch.helpers.bulk(client, actions("same", 3, "index")) == (3, [])
    changed = [{"_index": "same", "_id": "id-1", "_source": {"n": 100, "of": "same"}}]
    told = list(elasticsearch.helpers.streaming_bulk(client, actions("same", 3, "index") + changed))
    results = [(item["index"]["result"], item["index"]["status"]) for _, item in told]
    assert results == [("noop", 200)] * 3 + [("updated", 200)]
    assert sorted(one["native"]["n"] for one in door.found('native.of:"same"')) == [0, 1, 2, 100]
    assert ledger(door, "same")["duplicates"] == 3


def test_one_document_is_created_once(door: Door, client: Any) -> None:
    assert client.create(index="one", id="a", document={"n": 1})["result"] == "created"
    with pytest.raises(elasticsearch.ConflictError):
        client.create(index="one", id="a", document={"n": 2})
    assert client.index(index="one", id="a", document={"n": 1})["result"] == "noop"
    assert client.index(index="one", id="a", document={"n": 3})["result"] == "updated"
    assert client.create(index="other", id="a", document={"n": 1})["result"] == "created"
    told = ledger(door, "one")
    assert (told["received"], told["duplicates"]) == (4, 2)


def test_twice_within_one_request_is_once(door: Door, client: Any) -> None:
    twice = actions("twice", 1) * 2
    told = list(elasticsearch.helpers.streaming_bulk(client, twice, raise_on_error=False))
    assert [item["create"]["status"] for _, item in told] == [201, 409]
    assert len(door.found('native.of:"twice"')) == 1


def test_without_an_id_nothing_is_a_duplicate(door: Door, client: Any) -> None:
    plain = [{"_index": "plain", "_source": {"n": 1, "of": "plain"}}]
    assert elasticsearch.helpers.bulk(client, plain * 5) == (5, [])
    assert len(door.found('native.of:"plain"')) == 5


def test_what_was_refused_may_come_again(
    door: Door, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any, batches: Any, note: Any = None) -> int:
        raise SpoolFull("no room")

    with monkeypatch.context() as full:
        full.setattr(type(door.house.spool), "append", refuse)
        with pytest.raises(elasticsearch.ApiError):
            client.options(max_retries=0).bulk(
                operations=[{"create": {"_index": "late", "_id": "a"}}, {"n": 1}]
            )
    broken = [{"_index": "late", "_op_type": "create", "_id": "b", "_source": '{"n": broken'}]
    elasticsearch.helpers.bulk(client, broken, raise_on_error=False)
    assert client.create(index="late", id="a", document={"n": 1})["result"] == "created"
    assert client.create(index="late", id="b", document={"n": 1})["result"] == "created"


def test_ids_are_known_after_a_restart(tmp_path: Path) -> None:
    body = b'{"create":{"_index":"kept","_id":"a"}}\n{"n":1}\n'
    statuses = []
    for _ in range(2):
        opened = open_door(tmp_path)
        headers = {"Authorization": f"Bearer {opened.token}"}
        told = opened.client.post("/_bulk", content=body, headers=headers).json()
        statuses.append(told["items"][0]["create"]["status"])
        close_door(opened)
    assert statuses == [201, 409]
