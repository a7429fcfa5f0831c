"""What is fetched or pushed by others' services: notices, pages with links, messages, webhooks."""

import gzip
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import quote_plus

import httpx2
import zstandard

from tests.fuzz import samples
from tests.fuzz.decoders import NOW, Decoder, account
from tocsin.app.senders.webhook_doors import with_headers
from tocsin.ingest.cutting.cutting import Cut, Maker
from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.pull.pull import PullError, PullMeans
from tocsin.ingest.pull.pull_http import Pages
from tocsin.ingest.pull.pull_messages import cut_messages
from tocsin.ingest.pull.pull_settings import HttpPollSettings
from tocsin.ingest.pull.s3_notice import NamedObject, NoNotice, objects_named
from tocsin.model.record import Unreadable

_MAKER = Maker("fuzz", "fuzz", NOW)
_NOTICES: tuple[dict[str, Any], ...] = (
    {
        "Records": [
            {
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "logs"}, "object": {"key": "a%2Fb+c.gz", "size": 3}},
            }
        ]
    },
    {"Type": "Notification", "Message": '{"Records":[]}'},
    {"Records": [{"Sns": {"Message": '{"s3Bucket":"b","s3ObjectKey":["k"]}'}}]},
    {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "b"}, "object": {"key": "k"}},
    },
    {"s3Bucket": "trail", "s3ObjectKey": ["AWSLogs/1.json.gz", "AWSLogs/2.json.gz"]},
    {"bucket": "fdr", "files": [{"path": "data/x/part-0.gz", "size": 9}]},
    {"Event": "s3:TestEvent"},
)
_PAGES = (
    {"records": "/data/items", "cursor": "/data/next"},
    {"record_cursor": "/id"},
    {"follow_link": True},
    {},
)
ANSWER_LIMIT = 1 << 16
_LINK = b'<https://api.example.org/v1/events?after=2>; rel="next"'


def check_notice(case: bytes) -> None:
    try:
        found = objects_named(case.decode("utf-8", "replace"))
    except NoNotice:
        return
    assert all(
        isinstance(one, NamedObject) and isinstance(one.key, str) and isinstance(one.bucket, str)
        for one in found
    )


def _account(cut: Cut) -> None:
    if isinstance(cut, Unreadable):
        assert cut.reason
    else:
        account([cut])


class _Api:
    """Pages of one kind of settings, answered with what the case says; made once, as TLS is slow."""

    def __init__(self, shape: Mapping[str, Any]) -> None:
        settings = HttpPollSettings.model_validate(
            {"name": "fuzz", "url": "https://api.example.org/v1/events?after={cursor}"}
            | {"answer_limit_bytes": ANSWER_LIMIT, **shape}
        )
        self.link, self.encoding, self.body = b"", b"", b""
        self._pages = Pages(settings, PullMeans("fuzz", lambda _: "", self))
        self._start = self._pages._at
        self._pages._client.close()
        self._pages._client = httpx2.Client(transport=httpx2.MockTransport(self._answer))

    def load(self) -> Mapping[str, Any]:
        return {}

    def store(self, position: Mapping[str, Any]) -> None:
        json.dumps(position).encode()

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        headers = [(b"link", self.link), (b"content-encoding", self.encoding)]
        return httpx2.Response(200, headers=headers, content=iter([self.body]))

    def ask_twice(self) -> None:
        self._pages._at = self._start
        for _ in range(2):
            self._pages._next_at = 0.0
            portion = self._pages.next()
            if portion is not None:
                for cut in portion.cuts:
                    _account(cut)
                self._pages.confirm(portion)


@cache
def _apis() -> list[_Api]:
    return [_Api(shape) for shape in _PAGES]


def check_page(case: bytes) -> None:
    """The first line is the header ``Link``; the page comes twice, as it does where none is new."""
    link, _, body = case.partition(b"\n")
    for api in _apis():
        api.link, api.encoding, api.body = link, b"", body
        with suppress(PullError):
            api.ask_twice()


def check_packed_page(case: bytes) -> None:
    """The first line is the header ``Content-Encoding``; what is read as a whole was whole."""
    encoding, _, body = case.partition(b"\n")
    for api in _apis()[::3]:
        api.link, api.encoding, api.body = b"", encoding, body
        with suppress(PullError):
            api.ask_twice()


def check_message(case: bytes) -> None:
    for cut in cut_messages([(case, "one"), (b'{"a": 1}', "two"), (case, "three")], _MAKER):
        _account(cut)


def check_webhook(case: bytes) -> None:
    """As JSON and as a form: what a door makes of it can be cut and decoded."""
    for kind in ("application/json", "application/x-www-form-urlencoded; charset=utf-8"):
        headers = {"content-type": kind, "x-github-event": "push", "webhook-id": "\udc80\0"}
        account(split_lines(with_headers(headers, case), "fuzz", NOW))


def _packed(pages: Sequence[bytes]) -> list[bytes]:
    """In each encoding, in several members or frames, and bombs."""
    bomb = b"\n" * (4 * ANSWER_LIMIT)
    packers: dict[bytes, Callable[[bytes], bytes]] = {
        b"gzip": lambda one: gzip.compress(one, mtime=0),
        b"deflate": zlib.compress,
        b"zstd": zstandard.compress,
        b"identity": bytes,
    }
    return [
        encoding + b"\n" + packed
        for encoding, pack in packers.items()
        for packed in [*map(pack, [*pages, bomb]), b"".join(map(pack, pages))]
    ]


@cache
def fetched_decoders() -> list[Decoder]:
    records = samples.json_records()[:60]
    dumped = [json.dumps(record).encode() for record in records]
    notices = [json.dumps(one).encode() for one in _NOTICES]
    pages = [
        json.dumps({"data": {"items": records[:2], "next": "c-2"}}).encode(),
        json.dumps([{"id": 1}, {"id": "2", "a": [1]}]).encode(),
        b"\n".join(dumped[:3]),
        b"plain lines\nof a log",
    ]
    forms = [b"payload=" + quote_plus(dumped[0]).encode(), b"a=1&b=%C3%28&b=&c", *dumped]
    checks: dict[str, tuple[list[bytes], Callable[[bytes], None]]] = {
        "s3_notice": (notices, check_notice),
        "http_page": ([_LINK + b"\n" + page for page in pages], check_page),
        "packed_page": (_packed(pages), check_packed_page),
        "pulled_message": ([*dumped, *pages, gzip.compress(pages[2], mtime=0)], check_message),
        "webhook_body": (forms, check_webhook),
    }
    return [Decoder(name, seeds, check) for name, (seeds, check) in checks.items()]
