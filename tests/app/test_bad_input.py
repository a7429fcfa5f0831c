"""What senders get wrong, through the real doors of a real server: a clear answer, nothing lost."""

import gzip
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.server_process import ServerProcess, ndjson, wait_until

START = (sys.executable, "-c", "from tocsin.cli.main import main; main()", "serve")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("bad") / "home") as started:
        yield started


def _send(server: ServerProcess, body: bytes, source: str, **headers: str) -> dict[str, Any]:
    answer = server.client.post(
        "/api/v1/events", content=body, params={"source": source}, headers=headers
    )
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def _ledger(server: ServerProcess, source: str) -> dict[str, Any]:
    for ledger in server.client.get("/api/v1/sources").json()["sources"]:
        if ledger["name"] == source:
            found: dict[str, Any] = ledger
            return found
    return {"received": 0, "stored": 0, "quarantined": 0, "waiting": 0}


def _await_received(server: ServerProcess, source: str, count: int) -> dict[str, Any]:
    """The ledger once so many records have come and none of them waits; it always adds up."""
    ledger = _ledger(server, source)

    def all_are_worked_on() -> bool:
        nonlocal ledger
        ledger = _ledger(server, source)
        done = ledger["stored"] + ledger["quarantined"]
        assert ledger["received"] == done + ledger["waiting"]
        return bool(ledger["received"] >= count and not ledger["waiting"])

    wait_until(all_are_worked_on, f"{count} records of {source}")
    return ledger


def _found(server: ServerProcess, query: str) -> dict[str, Any]:
    page: dict[str, Any] = server.client.get("/api/v1/search", params={"q": query}).json()
    return page


def test_invalid_utf8_and_nul_bytes_are_kept(server: ServerProcess) -> None:
    body = b'plain caf\xe9 text\n{"message": "nul \\u0000 inside"}\nraw \x00 nul\n'
    told = _send(server, body, "bytes")
    assert told["accepted"] + told["unreadable"] == 3
    ledger = _await_received(server, "bytes", 3)
    assert ledger["stored"] == told["accepted"]


def test_deep_json_is_refused_with_its_place_and_kept(server: ServerProcess) -> None:
    deep = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
    told = _send(server, b'{"fine": 1}\n' + deep + b'\n{"fine": 2}', "deep")
    assert (told["accepted"], told["unreadable"]) == (2, 1)
    assert told["problems"][0]["record"] == 2
    assert told["problems"][0]["reason"]
    assert _await_received(server, "deep", 3)["quarantined"] == 1


def test_duplicate_keys_lose_neither_value(server: ServerProcess) -> None:
    line = '{"user": "alice", "user": "mallory", "message": "twice"}'
    _send(server, line.encode(), "twice")
    _await_received(server, "twice", 1)
    (event,) = _found(server, "source:twice")["events"]
    assert event["native"]["user"] == "mallory"
    assert event["raw"] == line


@pytest.mark.parametrize("moment", ["1601-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "yesterday"])
def test_impossible_times_are_kept_beside_the_time_of_receipt(
    server: ServerProcess, moment: str
) -> None:
    source = f"time-{moment[:4]}"
    _send(server, json.dumps({"timestamp": moment, "message": "when?"}).encode(), source)
    _await_received(server, source, 1)
    (event,) = _found(server, f"source:{source}")["events"]
    assert event["native"]["timestamp"] == moment
    assert event["time"][:4] in ("2025", "2026", "2027", "2028")


@pytest.mark.slow
def test_a_line_of_100_megabytes_is_answered_and_costs_nobody_else(server: ServerProcess) -> None:
    answer = server.client.post(
        "/api/v1/events", content=b"x" * 100_000_000, params={"source": "long"}, timeout=60.0
    )
    assert answer.status_code == 413
    assert "http.body_limit_bytes" in answer.json()["detail"]
    long_line = b"y" * 30_000_000
    told = _send(server, long_line + b"\nshort\n", "long")
    assert (told["accepted"], told["unreadable"]) == (1, told["unreadable"])
    assert told["unreadable"] >= 1
    _await_received(server, "long", 1 + told["unreadable"])


def test_a_gzip_bomb_and_a_cut_gzip_are_refused(server: ServerProcess) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000)
    for body, status in ((bomb, 413), (gzip.compress(b"a\n" * 1000)[:-9], 400), (b"no gzip", 400)):
        answer = server.client.post(
            "/api/v1/events", content=body, headers={"Content-Encoding": "gzip"}, timeout=60.0
        )
        assert answer.status_code == status
        assert answer.json()["detail"]
    told = _send(server, gzip.compress(b'{"a": 1}'), "zipped", **{"Content-Encoding": "gzip"})
    assert told["accepted"] == 1


def test_a_syslog_flood_adds_up(server: ServerProcess) -> None:
    sent = 5_000
    address = ("127.0.0.1", server.facts["syslog_tcp"])
    with socket.create_connection(address, timeout=30) as connection:
        for start in range(0, sent, 500):
            connection.sendall(
                b"".join(
                    b"<13>1 2026-11-21T10:00:00Z flood-01 app - - - message %d\n" % number
                    for number in range(start, start + 500)
                )
            )
    assert _await_received(server, "syslog/flood-01", sent)["stored"] == sent


def test_a_half_closed_socket_loses_nothing(server: ServerProcess) -> None:
    address = ("127.0.0.1", server.facts["syslog_tcp"])
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(b"<13>1 2026-11-21T10:00:00Z half-01 app - - - first\n<13>1 ")
        connection.sendall(b"2026-11-21T10:00:01Z half-01 app - - - no newline at the end")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert _await_received(server, "syslog/half-01", 2)["stored"] == 2


def test_a_second_server_on_the_folder_is_told_to_go(server: ServerProcess) -> None:
    second = subprocess.run(  # noqa: S603
        [*START, "--home", str(server.home), "--port", "0", "--syslog-port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 2
    assert "in use" in second.stderr
    assert str(server.facts["pid"]) in second.stderr
    assert "Traceback" not in second.stderr
    assert server.client.get("/healthz").status_code == 200


def test_a_wrong_query_says_where(server: ServerProcess) -> None:
    answer = server.client.get("/api/v1/search", params={"q": "user:(alice AND"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert "at" in answer.json()
    for statement in (
        "DROP TABLE events",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT 1; SELECT 2",
    ):
        refused = server.client.post("/api/v1/search/sql", json={"sql": statement})
        assert refused.status_code == 400, statement


def test_a_rule_with_broken_yaml_stops_no_other(server: ServerProcess) -> None:
    """The server of this module started without it; a restart meets it."""
    rules = server.home / "rules"
    rules.mkdir()
    (rules / "broken.yml").write_text("title: [unfinished\n")
    assert server.stop() == 0
    server.start()
    listed = server.client.get("/api/v1/rules").json()
    assert len(listed["rules"]) > 40
    (problem,) = (one for one in listed["problems"] if one["path"].endswith("broken.yml"))
    assert problem["reason"]
    assert problem["line"] >= 1


@pytest.mark.slow
def test_a_full_disk_slows_the_sender_and_keeps_what_was_acknowledged(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The spool's limit stands for the disk's end here; ENOSPC itself is tested on the spool."""
    home = tmp_path_factory.mktemp("full") / "home"
    body = ndjson([{"number": number, "filler": "f" * 1000} for number in range(500)])
    accepted = 0
    with ServerProcess(
        home, TOCSIN_SPOOL__LIMIT_BYTES=str(1024**2), TOCSIN_FLOW__CUT_S="5"
    ) as server:
        refused: httpx2.Response | None = None
        for _ in range(200):
            answer = server.client.post("/api/v1/events", content=body, params={"source": "much"})
            if answer.status_code == 429:
                refused = answer
                break
            accepted += answer.json()["accepted"]
        assert refused is not None, "the spool never filled"
        assert int(refused.headers["retry-after"]) > 0
        assert "spool" in refused.json()["detail"]
        assert _await_received(server, "much", accepted)["received"] == accepted
