"""Pulls the objects of a bucket: those that notices in SQS name, or all below a prefix."""

import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from tocsin.ingest.cutting.cutting import Cut, Maker
from tocsin.ingest.cutting.files import read_opened
from tocsin.ingest.pull.pull import Portion, Pulled, PullError, PullMeans
from tocsin.ingest.pull.pull_settings import S3Settings
from tocsin.ingest.pull.s3_notice import NamedObject, NoNotice, objects_named

_AT_ONCE = 10
_BLOCK_BYTES = 1 << 20
_GONE = {"NoSuchKey", "404", "NoSuchVersion"}
_ARCHIVED = {"InvalidObjectState"}


def open_pull(settings: S3Settings, means: PullMeans) -> Pulled:
    """Connect, and see that the queue or the bucket is there and may be read."""
    bucket = Bucket(settings, means)
    if settings.queue_url:
        return Notices(bucket)
    return Listing(bucket, means)


class Bucket:
    """Reads objects, whole before the first record is taken: a broken connection repeats none."""

    def __init__(self, settings: S3Settings, means: PullMeans) -> None:
        self.settings = settings
        self.source = means.source
        secret = means.secrets("secret_access_key") if settings.access_key_id else ""
        config = Config(
            connect_timeout=10,
            read_timeout=60,
            retries={"total_max_attempts": 2, "mode": "standard"},
        )
        with told_clearly("its settings for AWS"):
            session = boto3.session.Session(
                aws_access_key_id=settings.access_key_id or None,
                aws_secret_access_key=secret or None,
                profile_name=settings.profile or None,
                region_name=settings.region,
            )
            self.s3 = session.client(
                "s3", endpoint_url=settings.endpoint_url or None, config=config
            )
            self.sqs = session.client(
                "sqs",
                endpoint_url=settings.queue_endpoint_url or settings.endpoint_url or None,
                config=config,
            )

    def close(self) -> None:
        for client in (self.s3, self.sqs):
            with suppress(Exception):
                client.close()

    def cuts(self, named: NamedObject) -> Iterator[Cut]:
        """The records of an object; what is wrong with it as Unreadable that names it."""
        place = f"s3://{named.bucket}/{named.key}"
        maker = Maker(self.source, place, datetime.now(UTC), connector=self.settings.connector)
        with tempfile.TemporaryFile() as file:
            trouble = self._fetch(named, place, file)
            if trouble:
                yield maker.unreadable(0, trouble, place.encode())
                return
            file.seek(0)
            yield from read_opened(file, maker, self.settings.unpacked_limit_bytes)

    def _fetch(self, named: NamedObject, place: str, file: Any) -> str:
        """Copy the object into ``file``; why it can't ever be read, empty when it was."""
        limit = self.settings.object_limit_bytes
        try:
            with told_clearly(f"{place} (needs s3:GetObject)"):
                answer = self.s3.get_object(Bucket=named.bucket, Key=named.key)
                size = int(answer["ContentLength"])
                if size > limit:
                    answer["Body"].close()
                    return (
                        f"the object has {size:,} bytes, over object_limit_bytes ({limit:,}); "
                        "raise it and read the object in with tocsin ingest"
                    )
                while block := answer["Body"].read(_BLOCK_BYTES):
                    file.write(block)
                if file.tell() != size:
                    raise PullError(f"{place}: the connection ended in the middle of the object")
        except _AwsRefused as error:
            if error.code in _GONE:
                return "the object was gone before it could be read"
            if error.code in _ARCHIVED:
                return "the object is archived; restore it and read it in with tocsin ingest"
            raise
        return ""


class Notices:
    """Objects that an SQS queue's messages name; a message is deleted once all are on disk."""

    idle_s = 0.0

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._sqs = bucket.sqs
        self._url = bucket.settings.queue_url
        self._waiting: deque[dict[str, Any]] = deque()
        self._held_at = 0.0
        try:
            self.lag()
        except BaseException:
            bucket.close()
            raise

    def next(self) -> Portion | None:
        if not self._waiting:
            with told_clearly(f"queue {self._url} (needs sqs:ReceiveMessage)"):
                answer = self._sqs.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=_AT_ONCE,
                    WaitTimeSeconds=self._bucket.settings.wait_s,
                    VisibilityTimeout=self._bucket.settings.visibility_s,
                )
            self._waiting.extend(answer.get("Messages", ()))
            self._held_at = time.monotonic()
        if not self._waiting:
            return None
        message = self._waiting.popleft()
        return Portion(self._cuts(message), f"message {message['MessageId']}", message)

    def hold(self, portion: Portion) -> None:
        visibility_s = self._bucket.settings.visibility_s
        if time.monotonic() - self._held_at >= visibility_s / 3:
            self._held_at = time.monotonic()
            self._set_visible_after([portion.token, *self._waiting], visibility_s)

    def confirm(self, portion: Portion) -> None:
        with told_clearly(f"queue {self._url} (needs sqs:DeleteMessage)"):
            self._sqs.delete_message(
                QueueUrl=self._url, ReceiptHandle=portion.token["ReceiptHandle"]
            )

    def lag(self) -> int | None:
        with told_clearly(f"queue {self._url} (needs sqs:GetQueueAttributes)"):
            answer = self._sqs.get_queue_attributes(
                QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def close(self) -> None:
        """What was received and not begun comes again at once; what failed, when its time is up."""
        with suppress(PullError):
            self._set_visible_after(list(self._waiting), 0)
        self._bucket.close()

    def _set_visible_after(self, messages: list[dict[str, Any]], seconds: int) -> None:
        with told_clearly(f"queue {self._url} (needs sqs:ChangeMessageVisibility)"):
            for message in messages:
                self._sqs.change_message_visibility(
                    QueueUrl=self._url,
                    ReceiptHandle=message["ReceiptHandle"],
                    VisibilityTimeout=seconds,
                )

    def _cuts(self, message: dict[str, Any]) -> Iterator[Cut]:
        settings, body = self._bucket.settings, str(message.get("Body", ""))
        aside = Maker(self._bucket.source, f"{self._url} {message['MessageId']}", datetime.now(UTC))
        try:
            named = objects_named(body)
        except NoNotice as error:
            yield aside.unreadable(0, str(error), body.encode("utf-8", "replace"))
            return
        for one in named:
            if settings.bucket and one.bucket != settings.bucket:
                reason = f"the notice names bucket {one.bucket!r}; only {settings.bucket!r} is read"
                yield aside.unreadable(0, reason, body.encode("utf-8", "replace"))
            elif one.key.startswith(settings.prefix):
                yield from self._bucket.cuts(one)


class Listing:
    """Objects below a prefix in the order of their keys; the last key read is the position."""

    def __init__(self, bucket: Bucket, means: PullMeans) -> None:
        self._bucket = bucket
        self._kept = means.kept
        self._keys: deque[str] = deque()
        self._is_more = False
        self.idle_s = bucket.settings.interval_s
        where = f"{bucket.settings.bucket}/{bucket.settings.prefix}"
        position = means.kept.load()
        self._last = str(position.get("key", "")) if position.get("where") == where else ""
        self._where = where
        try:
            self._list()
        except BaseException:
            bucket.close()
            raise

    def next(self) -> Portion | None:
        if not self._keys:
            self._list()
        if not self._keys:
            return None
        key = self._keys[0]
        named = NamedObject(self._bucket.settings.bucket, key)
        return Portion(self._bucket.cuts(named), f"s3://{named.bucket}/{key}", key)

    def hold(self, portion: Portion) -> None:
        """Nobody else takes it."""

    def confirm(self, portion: Portion) -> None:
        self._last = str(portion.token)
        self._kept.store({"where": self._where, "key": self._last})
        self._keys.popleft()

    def lag(self) -> int | None:
        """Objects listed and not read; nobody knows how many more pages there are."""
        return None if self._is_more else len(self._keys)

    def close(self) -> None:
        self._bucket.close()

    def _list(self) -> None:
        settings = self._bucket.settings
        asked = {"StartAfter": self._last} if self._last else {}
        with told_clearly(f"bucket {settings.bucket} (needs s3:ListBucket)"):
            answer = self._bucket.s3.list_objects_v2(
                Bucket=settings.bucket, Prefix=settings.prefix, **asked
            )
        self._is_more = bool(answer.get("IsTruncated"))
        found = (str(one["Key"]) for one in answer.get("Contents", ()))
        self._keys.extend(key for key in found if not key.endswith("/"))


class _AwsRefused(PullError):
    """AWS answered, with an error's code."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def told_clearly(what: str) -> Iterator[None]:
    """What AWS's library raises inside, as PullError that says what was asked for."""
    try:
        yield
    except ClientError as error:
        told = error.response.get("Error", {})
        code = str(told.get("Code", ""))
        raise _AwsRefused(f"{what}: {code}: {told.get('Message', '')}", code) from error
    except (BotoCoreError, OSError) as error:
        raise PullError(f"{what}: {error}") from error
