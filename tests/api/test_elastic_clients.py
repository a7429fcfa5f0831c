"""Elastic's and OpenSearch's own clients send in bulk, and are told of what could not be read."""

from collections.abc import Callable, Iterator
from typing import Any

import elasticsearch
import elasticsearch.helpers
import opensearchpy
import opensearchpy.helpers
import pytest

from tests.api.listening import listening
from tests.api.sending import Door, close_door, open_door

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    opened = open_door(tmp_path_factory.mktemp("home"))
    yield opened
    close_door(opened)


@pytest.fixture(scope="module")
def url(door: Door) -> Iterator[str]:
    with listening(door) as address:
        yield address


def by_elastic_key(url: str, token: str) -> Any:
    return elasticsearch.Elasticsearch(url, api_key=("tocsin", token), http_compress=True)


def by_elastic_password(url: str, token: str) -> Any:
    return elasticsearch.Elasticsearch(f"{url}/elastic", basic_auth=("any", token))


def by_opensearch(url: str, token: str) -> Any:
    return opensearchpy.OpenSearch(url, http_auth=("any", token), http_compress=True)


CLIENTS = pytest.mark.parametrize(
    ("connect", "helpers"),
    [
        (by_elastic_key, elasticsearch.helpers),
        (by_elastic_password, elasticsearch.helpers),
        (by_opensearch, opensearchpy.helpers),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)


@CLIENTS
def test_bulk_takes_everything(door: Door, url: str, connect: Open, helpers: Any) -> None:
    mark = f"bulk_{connect.__name__}"
    records = [{"mark": mark, "n": n, "text": "x" * 100} for n in range(1_200)]
    actions = ({"_index": mark, "_op_type": "create", **record} for record in records)
    with connect(url, door.token) as client:
        assert client.info()["name"] == "tocsin"
        assert helpers.bulk(client, actions, chunk_size=500) == (1_200, [])
    assert door.ledgers()[f"elastic/agent/{mark}"] == (1_200, 1_200, 0)


@CLIENTS
def test_a_bad_item_is_named_and_costs_no_other(
    door: Door, url: str, connect: Open, helpers: Any
) -> None:
    index = f"streamed_{connect.__name__}"
    actions = [
        {"_index": index, "_id": "a", "_source": {"n": 1}},
        {"_index": index, "_id": "b", "_op_type": "update", "doc": {"n": 2}},
        {"_index": index, "_id": "c", "_op_type": "delete"},
        {"_index": index, "_source": '{"n": broken'},
        {"_index": index, "_source": {"n": 5}},
    ]
    with connect(url, door.token) as client:
        told = list(helpers.streaming_bulk(client, actions, raise_on_error=False))
        with pytest.raises(helpers.BulkIndexError) as caught:
            helpers.bulk(client, [{"_index": index, "_op_type": "delete", "_id": "z"}])
    assert [is_taken for is_taken, _ in told] == [True, False, False, False, True]
    ((verb, item),) = told[1][1].items()
    assert (verb, item["_id"], item["status"]) == ("update", "b", 400)
    assert "do not change" in item["error"]["reason"]
    assert len(caught.value.errors) == 1
    assert door.ledgers()[f"elastic/agent/{index}"] == (3, 2, 1)


@CLIENTS
def test_single_documents_are_taken(door: Door, url: str, connect: Open, helpers: Any) -> None:
    index = f"single_{connect.__name__}"
    with connect(url, door.token) as client:
        body = "body" if helpers is opensearchpy.helpers else "document"
        without = client.index(index=index, **{body: {"n": 1}})
        named = client.index(index=index, id="x1", **{body: {"n": 2}})
        made = client.create(index=index, id="x2", **{body: {"n": 3}})
    assert {one["result"] for one in (without, named, made)} == {"created"}
    assert named["_id"] == "x1"
    assert door.ledgers()[f"elastic/agent/{index}"] == (3, 3, 0)


@CLIENTS
def test_a_wrong_token_is_an_authentication_error(url: str, connect: Open, helpers: Any) -> None:
    room = opensearchpy if helpers is opensearchpy.helpers else elasticsearch
    with connect(url, "toc_wrong") as client, pytest.raises(room.AuthenticationException):
        helpers.bulk(client, [{"_index": "never", "n": 1}])
