"""APIs on loopback are asked page by page; the cursor follows the disk, secrets stay at home."""

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.ingest.pulling import KeptInMemory, Spool, means, pulling, wait_for_error
from tests.server_process import wait_until
from tocsin.ingest.pull.pull_http import open_pull
from tocsin.ingest.pull.pull_settings import HttpPollSettings
from tocsin.model.intake import IntakeState


class Api:
    """Has numbered records; answers by the path. ``asked`` are the requests it got."""

    def __init__(self) -> None:
        self.records = [{"id": f"r{number}", "n": number} for number in range(5)]
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.busy = 0
        self.address = ""

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        self.asked.append((path, headers))
        parts = urlsplit(path)
        cursor = parse_qs(parts.query).get("cursor", [""])[0]
        start = int(cursor.removeprefix("at ")) if cursor.startswith("at ") else 0
        page = self.records[start : start + 2]
        following = f"at {start + len(page)}" if page else None
        if self.busy:
            self.busy -= 1
            return 429, {"Retry-After": "1"}, b""
        match parts.path:
            case "/pointer":
                told = {"data": {"items": page}, "meta": {"next": following}}
                return 200, {}, json.dumps(told).encode()
            case "/link":
                link = f'</link?cursor=at%20{start + len(page)}>; rel="next"'
                return 200, {"Link": link}, json.dumps(page).encode()
            case "/elsewhere":
                link = '<http://other.example/link>; rel="next"'
                return 200, {"Link": link}, json.dumps(page).encode()
            case "/last":  # the cursor is the last record's; nothing is said beyond the end
                ids = [one["id"] for one in self.records]
                start = ids.index(cursor) + 1 if cursor else 0
                lines = [json.dumps(one) for one in self.records[start : start + 2]]
                return 200, {}, "\n".join(lines).encode()
            case "/whole":
                return 200, {}, b"\n".join(json.dumps(one).encode() for one in self.records)
            case "/packed":  # two members, as files that were put together have
                told = b"".join(gzip.compress(json.dumps(one).encode() + b"\n") for one in page)
                return 200, {"Content-Encoding": "gzip"}, told
            case "/cut":
                told = gzip.compress(b'{"id": "a"}\n' * 9)[:-8]
                return 200, {"Content-Encoding": "gzip"}, told
            case "/private":
                return 401, {}, b""
        return 404, {}, b""


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = made.answer(self.path, dict(self.headers.items()))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *told: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    made.address = f"http://127.0.0.1:{server.server_address[1]}"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def _settings(api: Api, path: str, **more: Any) -> HttpPollSettings:
    return HttpPollSettings(name="api", url=api.address + path, interval_s=0.02, **more)


WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "pointer": ("/pointer?cursor={cursor}", {"records": "/data/items", "cursor": "/meta/next"}),
    "link": ("/link", {"follow_link": True}),
    "last record": ("/last?cursor={cursor}", {"record_cursor": "/id"}),
    "no cursor at all": ("/whole", {}),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_of_going_on_brings_every_record_once_also_over_a_restart(
    api: Api, way: str
) -> None:
    path, more = WAYS[way]
    kept, spool = KeptInMemory(), Spool()
    settings = _settings(api, path, **more)

    def numbers() -> list[int]:
        return [json.loads(line)["n"] for line in spool.lines]

    def open_() -> Any:
        return open_pull(settings, means("http/api", kept))

    with pulling(open_, spool):
        wait_until(lambda: numbers() == [0, 1, 2, 3, 4], "five records")
        before = len(api.asked)
        wait_until(lambda: len(api.asked) > before + 2, "more askings")
    assert numbers() == [0, 1, 2, 3, 4]
    if way == "no cursor at all":
        return
    api.records += [{"id": f"r{number}", "n": number} for number in range(5, 8)]
    with pulling(open_, spool):
        wait_until(lambda: len(numbers()) >= 8, "eight records")
        before = len(api.asked)
        wait_until(lambda: len(api.asked) > before + 2, "more askings")
    assert numbers() == list(range(8))


def test_a_last_page_without_a_cursor_is_asked_again_and_only_what_is_new_is_taken(
    api: Api,
) -> None:
    """``next`` is null behind the end: asking goes on from the cursor before."""
    settings = _settings(
        api, "/pointer?cursor={cursor}", records="/data/items", cursor="/meta/no_such"
    )
    spool = Spool()
    api.records = api.records[:1]
    with pulling(lambda: open_pull(settings, means()), spool):
        spool.wait_for(1)
        api.records.append({"id": "r9", "n": 9})
        spool.wait_for(2)
        before = len(api.asked)
        wait_until(lambda: len(api.asked) > before + 2, "more askings")
    assert [json.loads(line)["n"] for line in spool.lines] == [0, 9]


def test_packed_answers_are_read_whole_or_refused(api: Api) -> None:
    spool = Spool()
    with pulling(lambda: open_pull(_settings(api, "/packed"), means()), spool):
        spool.wait_for(2)
    assert [json.loads(line)["n"] for line in spool.lines] == [0, 1]
    with pulling(
        lambda: open_pull(_settings(api, "/cut?{cursor}", record_cursor="/id"), means()), spool
    ) as loop:
        wait_for_error(loop, "/cut", "end mark")
    assert len(spool.lines) == 2
    _, headers = api.asked[0]
    assert headers["Accept-Encoding"] == "gzip, zstd"


def test_the_cursor_is_kept_only_when_the_page_is_on_disk(api: Api) -> None:
    path, more = WAYS["pointer"]
    kept, spool = KeptInMemory(), Spool()
    spool.is_full.set()
    with pulling(lambda: open_pull(_settings(api, path, **more), means(kept=kept)), spool):
        assert spool.refused.wait(60)
        assert kept.stored == []
        assert len(api.asked) == 1
    assert kept.stored == []


def test_the_secret_is_sent_and_a_link_elsewhere_is_not_followed(api: Api) -> None:
    settings = _settings(api, "/elsewhere", follow_link=True, auth_env="TOKEN")
    with pulling(lambda: open_pull(settings, means(auth="Bearer hush")), Spool()) as loop:
        told = wait_for_error(loop, "http://other.example", "nothing is sent there")
    assert api.asked[0][1]["Authorization"] == "Bearer hush"
    assert "hush" not in told


def test_who_asks_too_often_waits_as_long_as_told(api: Api) -> None:
    path, more = WAYS["pointer"]
    api.busy = 1
    spool = Spool()
    with pulling(lambda: open_pull(_settings(api, path, **more), means()), spool) as loop:
        told = wait_for_error(loop, "429", "asked to wait 1 s")
        spool.wait_for(5)
        wait_until(lambda: loop.look().state is IntakeState.CONNECTED, "the error to go")
    assert "cursor=" not in told  # a query may hold what is nobody's business


@pytest.mark.parametrize(
    ("path", "more", "words"),
    [
        ("/private", {}, ("401", "auth_file")),
        ("/nothing", {}, ("404", "correct url")),
        ("/whole", {"records": "/items"}, ("JSON",)),
        ("/pointer", {"records": "/items"}, ("no /items", "correct records")),
        ("/whole", {"answer_limit_bytes": 1024}, ("1,024", "answer_limit_bytes")),
    ],
)
def test_what_is_wrong_is_said_in_words(
    api: Api, path: str, more: dict[str, Any], words: tuple[str, ...]
) -> None:
    api.records = [{"id": "x" * 2000, "n": 1}, {"id": "y", "n": 2}]
    settings = _settings(api, path, **more)
    with pulling(lambda: open_pull(settings, means()), Spool()) as loop:
        wait_for_error(loop, *words)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"url": "ftp://host/x"}, "http://"),
        ({"url": "http://{cursor}/x"}, "path and query"),
        ({"url": "http://host/x", "cursor": "/next"}, "never says"),
        ({"url": "http://host/{cursor}", "cursor": "next"}, "RFC 6901"),
        ({"url": "http://host/{cursor}", "cursor": "/a", "follow_link": True}, "one of"),
    ],
)
def test_settings_that_can_not_work_are_refused(told: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        HttpPollSettings(name="api", **told)
