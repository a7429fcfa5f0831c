"""Reads which objects a notice names: S3's own shape, in SNS, EventBridge, CloudTrail, Falcon's."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

_DEEPEST = 3


@dataclass(frozen=True, slots=True)
class NamedObject:
    """An object somebody says is new."""

    bucket: str
    key: str


class NoNotice(ValueError):
    """A message of the queue names no objects in any known way."""


def objects_named(body: str) -> list[NamedObject]:
    """The objects a queue's message names; none for S3's test event and for deletions.

    Raises NoNotice. Keys of S3's own events are URL-encoded ("Event message structure", Amazon
    S3 user guide), those of EventBridge and CrowdStrike are not.
    """
    return list(_named(body, 0))


def _named(body: str, depth: int) -> Iterator[NamedObject]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NoNotice(f"the message is no JSON: {error}") from error
    if not isinstance(told, dict):
        raise NoNotice("the message is no JSON object")
    try:
        yield from _of_shape(told, depth)
    except (KeyError, TypeError, AttributeError) as error:
        raise NoNotice(f"the notice of an object lacks {error}") from error


def _of_shape(told: Mapping[str, Any], depth: int) -> Iterator[NamedObject]:
    if isinstance(told.get("Records"), list):
        for record in told["Records"]:
            yield from _of_record(record, depth)
    elif told.get("Type") == "Notification" and "Message" in told:
        yield from _inside(told["Message"], depth)
    elif told.get("source") == "aws.s3" and "detail" in told:
        if told.get("detail-type") == "Object Created":
            detail = told["detail"]
            yield NamedObject(str(detail["bucket"]["name"]), str(detail["object"]["key"]))
    elif "s3Bucket" in told and "s3ObjectKey" in told:
        for key in told["s3ObjectKey"]:
            yield NamedObject(str(told["s3Bucket"]), str(key))
    elif "bucket" in told and isinstance(told.get("files"), list):
        for file in told["files"]:
            yield NamedObject(str(told["bucket"]), str(file["path"]))
    elif told.get("Event") != "s3:TestEvent":
        raise NoNotice("the message names no objects in a way known here")


def _of_record(record: Mapping[str, Any], depth: int) -> Iterator[NamedObject]:
    if "Sns" in record:
        yield from _inside(record["Sns"]["Message"], depth)
    elif "s3" not in record:
        raise NoNotice("it has Records that are not of S3")
    elif str(record.get("eventName", "")).removeprefix("s3:").startswith("ObjectCreated"):
        place = record["s3"]
        key = unquote_plus(place["object"]["key"])
        yield NamedObject(str(place["bucket"]["name"]), key)


def _inside(message: Any, depth: int) -> Iterator[NamedObject]:
    if depth >= _DEEPEST:
        raise NoNotice("the notice is wrapped too often")
    yield from _named(str(message), depth + 1)
