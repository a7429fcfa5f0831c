"""Every way a queue names objects is read; what names none says so."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest.pull.s3_notice import NamedObject, NoNotice, objects_named


def _of_s3(key: str, event: str = "ObjectCreated:Put") -> dict[str, Any]:
    place = {"bucket": {"name": "b"}, "object": {"key": key, "size": 1}}
    return {"eventSource": "aws:s3", "eventName": event, "s3": place}


TOLD = {"Records": [_of_s3("a+b/%C3%A9.gz"), _of_s3("gone", "ObjectRemoved:Delete")]}
SNS = {"Type": "Notification", "TopicArn": "arn", "Message": json.dumps(TOLD)}
SHAPES: list[tuple[dict[str, Any], list[str]]] = [
    (TOLD, ["a b/é.gz"]),
    ({"Records": [_of_s3("k", "s3:ObjectCreated:CompleteMultipartUpload")]}, ["k"]),
    (SNS, ["a b/é.gz"]),
    ({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(TOLD)}}]}, ["a b/é.gz"]),
    (
        {
            "source": "aws.s3",
            "detail-type": "Object Created",
            "detail": {"bucket": {"name": "b"}, "object": {"key": "a+b"}},
        },
        ["a+b"],
    ),
    ({"source": "aws.s3", "detail-type": "Object Deleted", "detail": {}}, []),
    ({"s3Bucket": "b", "s3ObjectKey": ["AWSLogs/1", "AWSLogs/2"]}, ["AWSLogs/1", "AWSLogs/2"]),
    ({"bucket": "b", "files": [{"path": "data/x.gz", "size": 9}]}, ["data/x.gz"]),
    ({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}, []),
]


@pytest.mark.parametrize(("told", "keys"), SHAPES)
def test_objects_are_named(told: dict[str, Any], keys: list[str]) -> None:
    assert objects_named(json.dumps(told)) == [NamedObject("b", key) for key in keys]


@pytest.mark.parametrize(
    "body",
    ["", "no json", "[]", "{}", '{"Records": [{}]}', '{"Records": [1]}', '{"Records": [null]}'],
)
def test_what_names_none_says_so(body: str) -> None:
    with pytest.raises(NoNotice):
        objects_named(body)


def test_a_notice_wrapped_without_end_is_refused() -> None:
    body = json.dumps(TOLD)
    for _ in range(5):
        body = json.dumps({"Type": "Notification", "Message": body})
    with pytest.raises(NoNotice, match="too often"):
        objects_named(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("Records", "s3", "Sns", "Message", "Type", "source", "detail", "detail-type"),
                    *(
                        "bucket",
                        "object",
                        "key",
                        "name",
                        "files",
                        "path",
                        "s3Bucket",
                        "s3ObjectKey",
                    ),
                    "eventName",
                ]
            ),
            inner
            | st.sampled_from(["aws.s3", "Notification", "Object Created", "ObjectCreated:Put"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_anything_is_objects_or_no_notice(told: object) -> None:
    try:
        named = objects_named(json.dumps(told))
    except NoNotice:
        return
    assert all(isinstance(one.key, str) for one in named)
