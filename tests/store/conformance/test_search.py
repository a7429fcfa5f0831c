"""Every engine finds the same events for the same query."""

import contextlib
import json
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from tocsin.model.field_path import REMAINDER
from tocsin.store.ports import QueryError, QueryStopped
from tocsin.store.query import EventQuery, TopValue
from tocsin.store.stop_signal import StopSignal

ROWS = {
    "ssh": {
        "native": {
            "msg": "Failed password",
            "pid": 100,
            "tags": ["auth", "Remote"],
            "id.orig_h": "10.1.2.3",
        },
        "ocsf": {
            "user.name": "Alice",
            "device.hostname": "web01",
            "src_endpoint.ip": "10.1.2.3",
            "dst_endpoint.port": 22,
            "severity_id": 3,
            "message": "Failed password for alice from 10.1.2.3",
            "is_remote": True,
        },
    },
    "proc": {
        "native": {
            "EventID": 1,
            "CommandLine": "powershell -enc AAA",
            "Hashes": [{"alg": "md5", "v": "x1"}],
        },
        "ocsf": {
            "user.name": "bob",
            "device.hostname": "PC-7",
            "severity_id": 2,
            "process.cmd_line": "C:\\Windows\\System32\\powershell.exe -enc 100%_A",
            "process.pid": 4242,
            "src_endpoint.ip": "fe80::0001:2",
            "file.hashes": [{"value": "abc"}, {"value": "DEF"}],
        },
    },
    "dns": {
        "native": {
            "query": "evil.example",
            "rtt": 0.25,
            "answers": [],
            REMAINDER: '{"late":"Found Here","a/b~c":7,"deep":{"er":"yes"}}',
            "many": {"k1": 1, REMAINDER: '{"k9":"x9"}'},
        },
        "ocsf": {
            "query.hostname": "evil.example",
            "src_endpoint.ip": "192.168.0.9",
            "x.seen": "yes",
        },
        "raw": b"dns query evil.example A",
    },
}

FOUND = {
    "native:aaa": "proc",
    'native:"Found Here"': "dns",
    "native:*auth*remote*": "ssh",
    "native:nowhere": "",
    "": "ssh proc dns",
    "*": "ssh proc dns",
    "*:*": "ssh proc dns",
    "user:alice": "ssh",
    "user:ALICE": "ssh",
    "user.name:alice": "ssh",
    "user_name:alice": "ssh",
    "user:ali": "",
    "user:ali*": "ssh",
    "user:*LIC*": "ssh",
    "user:?ob": "proc",
    "user:(alice OR bob)": "ssh proc",
    "user:(alice AND bob)": "",
    'user:(nobody OR ALICE OR "bob")': "ssh proc",
    "user:(nobody OR noone OR *lic*)": "ssh",
    "NOT user:(alice OR bob)": "dns",
    "NOT user:(alice OR nobody)": "proc dns",
    "dst_port:(21 OR 22 OR 23)": "ssh",
    "is_remote:(false OR true)": "ssh",
    "src_ip:(10.9.9.9 OR 192.168.0.9 OR fe80\\:\\:/10)": "proc dns",
    "message:(word OR password)": "ssh",
    "native.tags:(other OR remote)": "ssh",
    "native.EventID:(7 OR 1)": "proc",
    "native.id.orig_h:(10.1.2.4 OR 10.1.2.3)": "ssh",
    "native.never.seen:(1 OR 2)": "",
    "file.hashes.value:(def OR nothing)": "proc",
    "lane:(test.ssh OR test.dns)": "ssh dns",
    "lane:test.ssh OR lane:test.dns": "ssh dns",
    "source:(sensor-dns OR sensor-none)": "dns",
    "time:(2026-03-01T12\\:00\\:10Z OR 2026-03-01T12\\:00\\:11Z)": "proc",
    "(passwordless OR evil)": "dns",
    "NOT user:alice": "proc dns",
    "-user:alice": "proc dns",
    "+user:alice host:web01": "ssh",
    "user:alice host:pc-7": "",
    "user:alice OR host:pc-7": "ssh proc",
    "(user:alice OR user:bob) AND NOT host:web01": "proc",
    "user:*": "ssh proc",
    "_exists_:user": "ssh proc",
    "NOT _exists_:user": "dns",
    "_exists_:native.tags": "ssh",
    "_exists_:native.rtt": "dns",
    "message:password": "ssh",
    'message:"failed PASSWORD for"': "ssh",
    "password": "ssh",
    '"failed password"': "ssh",
    "evil": "dns",
    "query evil": "dns",
    "pass*alice": "ssh",
    "nothing-like-it": "",
    'cmd:"C:\\Windows\\System32\\powershell.exe -enc 100%_A"': "proc",
    "cmd:*\\powershell.exe*": "proc",
    "cmd:*100%_A": "proc",
    "cmd:*100%xA": "",
    "cmd:/POWER.*-enc/": "proc",
    "cmd:/^power/": "",
    "/e(v|x)il\\.ex/": "dns",
    "src_ip:10.1.2.3": "ssh",
    "src_ip:10.0.0.0/8": "ssh",
    'src_ip:"10.0.0.0/8"': "ssh",
    "src_ip:(10.0.0.0/8 OR 192.168.0.0/16)": "ssh dns",
    "NOT src_ip:10.0.0.0/8": "proc dns",
    'src_ip:"fe80::/10"': "proc",
    'src_ip:"fe80::1:0/112"': "proc",
    'src_ip:"2001:db8::/32"': "",
    'src_ip:"::/0"': "proc",
    'session:"fe80::/10"': "",
    "src_ip:0.0.0.0/0": "ssh dns",
    "src_ip:[10.1.2.0 TO 10.1.2.255]": "ssh",
    "native.id.orig_h:10.0.0.0/8": "ssh",
    "dst_port:22": "ssh",
    "dst_port:[1 TO 1024]": "ssh",
    "dst_port:{22 TO 1024]": "",
    "dst_port:>=22": "ssh",
    "dst_port:<22": "",
    "pid:-5": "",
    "severity_id:>=2": "ssh proc",
    "is_remote:true": "ssh",
    "is_remote:false": "",
    "native.EventID:1": "proc",
    "native.eventid:1": "proc",
    "native.pid:[50 TO 200]": "ssh",
    "native.rtt:>0.2": "dns",
    "native.rtt:0.25": "dns",
    "native.tags:remote": "ssh",
    "native.tags:rem*": "ssh",
    "native.Hashes.v:X1": "proc",
    "native.Hashes.v:x2": "",
    "native.id.orig_h:10.1.2.3": "ssh",
    "native.never.seen:1": "",
    'native.late:"found here"': "dns",
    "native.late:elsewhere": "",
    "native.a\\/b\\~c:7": "dns",
    "native.deep.er:yes": "dns",
    "native.many.k9:x9": "dns",
    "native.k9:x9": "",
    "_exists_:native.late": "dns",
    "NOT native.late:*": "ssh proc",
    '"Found Here"': "dns",
    "file.hashes.value:def": "proc",
    "x.seen:yes": "dns",
    "lane:test.ssh": "ssh",
    "lane:test.*": "ssh proc dns",
    "source:Sensor-DNS": "dns",
    "NOT source:sensor-dns": "ssh proc",
    "source:sensor-dns OR user:bob": "proc dns",
    "source:sensor-dns AND source:sensor-ssh": "",
    "time:[2026-03-01T12:00:05Z TO 2026-03-01T12:00:15Z]": "proc",
    'time:>="2026-03-01T12:00:20+00:00"': "dns",
    "event_id:x": "",
    "tenant:default user:bob": "proc",
    "'' OR": None,
}


@pytest.fixture(scope="module")
def filled(open_events, make_batch):
    """Two segments that no test changes."""
    events, state = open_events()
    batches = [
        make_batch(
            [{**row, "at": 10 * n}], lane=f"test.{name}", source=f"sensor-{name}", position=n
        )
        for n, (name, row) in enumerate(ROWS.items())
    ]
    for group in (batches[:2], batches[2:]):
        segment = events.write(group)
        with state.begin() as tx:
            events.publish(tx, segment)
    return events


def names(events) -> str:
    return " ".join(event.lane.removeprefix("test.") for event in events)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(q, e) for q, e in FOUND.items() if e is not None],
    ids=lambda value: value or "-",
)
def test_a_filter_finds(filled, text, expected):
    page = filled.search(EventQuery(text, oldest_first=True))
    assert names(page.events) == expected
    assert page.total == len(expected.split())


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("usr:bob", 0, "did you mean user"),
        ("user:bob AND hots:x", 13, "did you mean host"),
        ("(user:bob", 9, "ends too early"),
        ("user:", 5, "ends too early"),
        ("src_ip:fe80::1", 12, "in quotes"),
        ("AND", 0, "none before it"),
        ("pid:abc", 0, "whole numbers"),
        ("is_remote:maybe", 0, "true or false"),
        ("time:>yesterday", 0, "no time"),
        ("cmd:/[/", 4, "RE2"),
        ("user:bob~2", 0, "nearness"),
        ("user:host:x", 5, "inside another field"),
        ("[1 TO 5]", 0, "needs a field"),
        ("user:a && user:b", 7, "in words"),
        ("user:\x00", 5, "character"),
        ("x" * 20_000, 10_000, "longer"),
        ("(" * 300 + "a" + ")" * 300, 0, "nested"),
    ],
)
def test_a_filter_that_means_nothing_says_where(filled, text, at, words):
    with pytest.raises(QueryError, match=words) as caught:
        filled.search(EventQuery(text))
    assert caught.value.at is not None
    if (
        text.startswith(("usr", "user:bob AND", "(user", "user:", "src", "AND", "cmd"))
        and "~" not in text
    ):
        assert caught.value.at == at


def test_start_is_in_and_end_is_out(filled, noon):
    page = filled.search(
        EventQuery(start=noon, end=noon + timedelta(seconds=20), oldest_first=True)
    )
    assert names(page.events) == "ssh proc"
    assert page.total == 2


def test_newest_comes_first(filled):
    assert names(filled.search(EventQuery()).events) == "dns proc ssh"


@pytest.mark.parametrize("text", ["", "native.EventID:1"])
def test_a_page_may_come_without_native_fields(filled, text):
    whole = filled.search(EventQuery(text)).events
    brief = filled.search(EventQuery(text, with_native=False)).events
    assert all(event.native for event in whole)
    assert list(brief) == [replace(event, native={}) for event in whole]


def test_a_page_says_what_was_looked_at(filled):
    whole = filled.search(EventQuery("NOT user:bob"))
    assert (whole.searched_segments, whole.searched_rows) == (2, 3)
    pruned = filled.search(EventQuery("source:sensor-dns"))
    assert (pruned.searched_segments, pruned.searched_rows) == (1, 1)
    assert filled.search(EventQuery("source:elsewhere")).searched_segments == 0


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("text", ["", "severity_id:1"])
def test_pages_follow_each_other_without_gap_or_repeat(
    events, store, make_batch, text, oldest_first
):
    for position in range(6):
        rows = [{"at": (n * 7 + position) % 11, "native": {"n": n}} for n in range(9)]
        store(make_batch(rows, position=position))
    seen, cursor = [], None
    while True:
        page = events.search(EventQuery(text, size=7, cursor=cursor, oldest_first=oldest_first))
        seen += [(event.time, event.event_id) for event in page.events]
        assert page.total == 54
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 54
    assert seen == sorted(seen, reverse=not oldest_first)


def test_a_page_stands_still_while_events_arrive(events, store, make_batch):
    store(make_batch([{"at": n} for n in range(10)]))
    first = events.search(EventQuery(size=4))
    store(make_batch([{"at": 100 + n} for n in range(5)], position=1))
    second = events.search(EventQuery(size=4, cursor=first.next_cursor))
    assert [event.time.second for event in second.events] == [5, 4, 3, 2]


@pytest.mark.parametrize("cursor", ["", "x", "12", "1.", "x.y", "9" * 40 + ".a", "1.\x00"])
def test_a_made_up_cursor_is_refused_or_harmless(filled, cursor):
    with contextlib.suppress(QueryError):
        assert filled.search(EventQuery(cursor=cursor)).total == 3


def test_a_histogram_counts_by_time_and_severity(filled, noon):
    query = EventQuery(start=noon, end=noon + timedelta(seconds=30))
    buckets = filled.histogram(query, 3)
    assert [(b.start, b.count, b.by) for b in buckets] == [
        (noon, 1, {3: 1}),
        (noon + timedelta(seconds=10), 1, {2: 1}),
        (noon + timedelta(seconds=20), 1, {1: 1}),
    ]
    assert buckets[-1].end == query.end
    filtered = filled.histogram(EventQuery("user:bob", query.start, query.end), 3)
    assert [bucket.count for bucket in filtered] == [0, 1, 0]


def test_a_histogram_without_a_range_takes_in_everything(filled):
    buckets = filled.histogram(EventQuery(), 7)
    assert sum(bucket.count for bucket in buckets) == 3
    assert all(a.end == b.start for a, b in pairwise(buckets))


def test_a_histogram_of_nothing_is_empty(events):
    assert events.histogram(EventQuery(), 10) == []


def test_top_values_come_most_frequent_first(events, store, make_batch):
    users = ["bob", "eve", "bob", None, "bob", "eve", "Bob"]
    store(
        make_batch(
            [
                {"ocsf": {"user.name": user}, "native": {"u": user, "t": [user or "-", "all"]}}
                for user in users
            ]
        )
    )
    expected = [TopValue("bob", 3), TopValue("eve", 2), TopValue("Bob", 1)]
    assert events.top_values(EventQuery(), "user", 5) == expected
    assert events.top_values(EventQuery(), "native.u", 5) == expected
    assert events.top_values(EventQuery(), "user", 1) == expected[:1]
    assert events.top_values(EventQuery("user:eve"), "user", 5) == [TopValue("eve", 2)]
    assert events.top_values(EventQuery(), "native.t", 1) == [TopValue("all", 7)]
    assert events.top_values(EventQuery(), "severity_id", 1) == [TopValue("1", 7)]
    with pytest.raises(QueryError, match="unknown field"):
        events.top_values(EventQuery(), "usr", 5)


def test_a_search_that_was_stopped_says_so(events):
    stop = StopSignal()
    stop.stop("somebody cancelled it")
    for ask in (
        lambda: events.search(EventQuery(), stop),
        lambda: events.histogram(EventQuery(), 3, stop),
        lambda: events.top_values(EventQuery(), "user", 3, stop),
    ):
        with pytest.raises(QueryStopped, match="somebody cancelled it"):
            ask()


def test_a_stream_gives_every_event_whole(open_events, make_batch, noon):
    events, state = open_events()
    rows = [
        {
            "ocsf": {"user.name": "bob", "process.pid": n, "unmapped": {"k": n}},
            "native": {"n": n, "deep": {"k": [n, n]}},
            "raw": b"\xffline",
        }
        for n in range(5000)
    ]
    segment = events.write([make_batch(rows), make_batch([{"native": {"n": "text", "N": 1}}])])
    with state.begin() as tx:
        events.publish(tx, segment)
    with events.stream(EventQuery("user:bob")) as stream:
        assert (stream.total, stream.problems) == (5000, ())
        found = [row for batch in stream.batches for row in batch.to_pylist()]
    found.sort(key=lambda row: row["process.pid"])
    assert [row["process.pid"] for row in found] == list(range(5000))
    assert found[7]["time"].replace(tzinfo=noon.tzinfo) == noon + timedelta(seconds=7)
    assert json.loads(found[7]["native"]) == {"n": 7, "deep": {"k": [7, 7]}}
    assert json.loads(found[7]["ocsf"]) == {"unmapped": {"k": 7}}
    assert found[7]["raw"] == b"\xffline"
    with events.stream(EventQuery("NOT user:bob"), ["user", "native.n", "native.N"]) as stream:
        (row,) = [row for batch in stream.batches for row in batch.to_pylist()]
    assert row == {"user": None, "native.n": "text", "native.N": "1"}


@pytest.mark.parametrize("oldest_first", [False, True])
def test_a_stream_is_in_the_order_of_the_list(
    open_events, make_batch, noon, oldest_first, monkeypatch
):
    monkeypatch.setattr("tocsin.store.engines.parquet.event_streaming._SLICE_ROWS", 7)
    events, state = open_events()
    for number in range(3):  # segments that reach into one another
        times = [noon + timedelta(minutes=n * (number + 1)) for n in range(20)]
        segment = events.write([make_batch([{"at": at} for at in times], position=number)])
        with state.begin() as tx:
            events.publish(tx, segment)
    asked = EventQuery(
        "", noon + timedelta(minutes=2), noon + timedelta(minutes=50), oldest_first=oldest_first
    )
    with events.stream(asked, ["event_id"]) as stream:
        found = [row["event_id"] for batch in stream.batches for row in batch.to_pylist()]
    page = events.search(replace(asked, size=1000))
    assert found == [one.event_id for one in page.events]
    assert stream.total == len(found) == 53


def test_a_stream_outlives_merging(open_events, make_batch):
    events, state = open_events()
    for at in range(3):
        segment = events.write([make_batch([{"native": {"n": at}}], position=at)])
        with state.begin() as tx:
            events.publish(tx, segment)
    with events.stream(EventQuery()) as stream:
        assert events.merge_small() == 3
        assert sum(len(batch) for batch in stream.batches) == 3
    with events.stream(EventQuery()) as stream:
        assert stream.total == 3


def test_a_stream_can_be_stopped(events, store, make_batch):
    store(make_batch([{"native": {"n": 1}}]))
    stop = StopSignal()
    with events.stream(EventQuery(), None, stop) as stream:
        stop.stop("gone")
        with pytest.raises(QueryStopped, match="gone"):
            list(stream.batches)
