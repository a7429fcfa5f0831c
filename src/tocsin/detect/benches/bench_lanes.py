"""The benchmark's event streams: the same events for the same numbers, every time."""

from collections.abc import Callable, Iterator
from enum import StrEnum

import numpy as np
import pyarrow as pa

from tocsin.detect.benches.bench_events import Everyday, batch_of_columns, process_batches
from tocsin.model.event import EventBatch
from tocsin.model.lane import Lane


class BenchLane(StrEnum):
    """What the events of a run are like."""

    STRUCTURED = "structured"
    """Windows process creations of a fleet's everyday, now and then a bad one."""
    DISTINCT = "distinct"
    """The same, every command line different from all others."""
    FILES = "files"
    """Sysmon file creations, every path different."""
    RAW = "raw"
    """Linux syslog, all of it in one field: keywords are looked for in raw text."""
    MIXED = "mixed"
    """Six log sources of four products, by turns, in small batches."""
    SILENT = "silent"
    """Everyday process creations of which no rule should match."""
    MATCHING = "matching"
    """Process creations every second of which is a bad one."""
    CORRELATION = "correlation"
    """Process creations, a tenth of them taken by 20 correlations over rules of the benchmark's own."""


_Draw = np.random.Generator
_PEOPLE = 60
_TURN_SHARE = 10
"""Of a batch, what the mixed stream takes of one log source at a time."""

_FILES = Lane("bench", "file_event", "windows", ("file_event",), ("sysmon",))
_SYSLOG = Lane("bench", "syslog", "linux", (), ("syslog", "auth", "sshd", "sudo", "cron", "auditd"))
_NETWORK = Lane("bench", "network_connection", "windows", ("network_connection",), ("sysmon",))
_REGISTRY = Lane("bench", "registry_set", "windows", ("registry_set",), ("sysmon",))
_LINUX = Lane("bench", "process_creation", "linux", ("process_creation",))
_CLOUD = Lane("bench", "cloudtrail", "aws", (), ("cloudtrail",))

_FOLDERS = (
    "C:\\Users\\{user}\\AppData\\Local\\Temp\\",
    "C:\\Users\\{user}\\Documents\\",
    "C:\\Users\\{user}\\AppData\\Roaming\\Microsoft\\Windows\\Recent\\",
    "C:\\ProgramData\\Example\\Cache\\",
    "C:\\Windows\\Prefetch\\",
)
_ENDINGS = (".tmp", ".docx", ".log", ".pf", ".lnk", ".json", ".dat", ".exe", ".ps1")
_WRITERS = ("explorer.exe", "svchost.exe", "chrome.exe", "WINWORD.EXE", "MsMpEng.exe")
_LINES = (
    "sshd[{n}]: Accepted publickey for {user} from 10.1.{b}.{c} port {n} ssh2",
    "sshd[{n}]: Failed password for {user} from 203.0.113.{c} port {n} ssh2",
    "sudo: {user} : TTY=pts/{b} ; PWD=/home/{user} ; USER=root ; COMMAND=/usr/bin/apt update",
    "CRON[{n}]: (root) CMD (/usr/lib/example/collect --slot {b} --run {n})",
    "systemd[1]: Started session {n} of user {user}.",
    "kernel: [{n}.{b}] eth0: link up, 1000 Mbps, full duplex",
    "dhclient[{n}]: DHCPACK of 10.1.{b}.{c} from 10.1.0.1",
)
_COMMANDS = (
    "/usr/bin/ls -la",
    "/usr/bin/grep -r id",
    "/bin/cat",
    "/usr/bin/python3 -m job",
    "/usr/bin/curl -s",
)
_CALLS = (
    "DescribeInstances",
    "GetObject",
    "AssumeRole",
    "ListBuckets",
    "PutObject",
    "GetCallerIdentity",
)


def bench_batches(kind: BenchLane, events: int, batch_rows: int) -> Iterator[EventBatch]:
    """``events`` events in batches of at most ``batch_rows``."""
    if kind is BenchLane.CORRELATION:
        yield from process_batches(Everyday.CORRELATED, events, batch_rows)
    elif kind in (BenchLane.FILES, BenchLane.RAW, BenchLane.MIXED):
        makers = _BY_KIND[kind]
        draw = np.random.Generator(np.random.PCG64(21))
        rows = batch_rows if len(makers) == 1 else max(1, batch_rows // _TURN_SHARE)
        for turn, start in enumerate(range(0, events, rows)):
            lane, make = makers[turn % len(makers)]
            yield batch_of_columns(lane, make(draw, start, min(rows, events - start)), start)
    else:
        yield from process_batches(Everyday(kind.value), events, batch_rows)


def warm_up(stream: Iterator[EventBatch], rows: int) -> list[EventBatch]:
    """The first batches, with ``rows`` events together: every lane of the stream among them."""
    taken: list[EventBatch] = []
    while sum(map(len, taken)) < rows:
        taken.append(next(stream))
    return taken


def _files(draw: _Draw, start: int, rows: int) -> dict[str, pa.Array]:
    folders, endings = (
        draw.integers(len(_FOLDERS), size=rows),
        draw.integers(len(_ENDINGS), size=rows),
    )
    people, writers = draw.integers(_PEOPLE, size=rows), draw.integers(len(_WRITERS), size=rows)
    chosen = zip(folders.tolist(), people.tolist(), endings.tolist(), strict=True)
    return {
        "TargetFilename": pa.array(
            f"{_FOLDERS[folder].format(user=f'user{person:02d}')}{number:08x}{_ENDINGS[ending]}"
            for number, (folder, person, ending) in enumerate(chosen, start)
        ),
        "Image": pa.array(f"C:\\Windows\\{_WRITERS[writer]}" for writer in writers.tolist()),
        "User": pa.array(f"EXAMPLE\\user{person:02d}" for person in people.tolist()),
        "EventID": pa.array(np.full(rows, 11)),
        "ProcessId": pa.array(draw.integers(4, 60_000, rows)),
    }


def _syslog(draw: _Draw, start: int, rows: int) -> dict[str, pa.Array]:
    numbers = draw.integers([len(_LINES), 60_000, 250, 250, _PEOPLE], size=(rows, 5)).tolist()
    return {
        "message": pa.array(
            f"Jan  5 10:{b % 60:02d}:{c % 60:02d} host{b % 40:02d} "
            + _LINES[line].format(n=n, b=b, c=c, user=f"user{person:02d}")
            for line, n, b, c, person in numbers
        )
    }


def _network(draw: _Draw, start: int, rows: int) -> dict[str, pa.Array]:
    near, far = draw.integers(1, 250, rows).tolist(), draw.integers(1, 250, (rows, 2)).tolist()
    writers = draw.integers(len(_WRITERS), size=rows).tolist()
    return {
        "Image": pa.array(f"C:\\Windows\\{_WRITERS[writer]}" for writer in writers),
        "SourceIp": pa.array(f"10.1.0.{host}" for host in near),
        "DestinationIp": pa.array(f"198.51.{a % 100}.{b}" for a, b in far),
        "DestinationPort": pa.array(draw.choice([443, 80, 53, 8080, 445], rows)),
        "Initiated": pa.array(["true"] * rows),
        "EventID": pa.array(np.full(rows, 3)),
    }


def _registry(draw: _Draw, start: int, rows: int) -> dict[str, pa.Array]:
    numbers = draw.integers(400, size=(rows, 2)).tolist()
    return {
        "TargetObject": pa.array(
            f"HKLM\\SOFTWARE\\Example\\Component{key}\\Setting{name}" for key, name in numbers
        ),
        "Details": pa.array(f"DWORD (0x{name:08x})" for _, name in numbers),
        "EventType": pa.array(["SetValue"] * rows),
        "Image": pa.array(["C:\\Windows\\System32\\svchost.exe"] * rows),
        "EventID": pa.array(np.full(rows, 13)),
    }


def _linux(draw: _Draw, start: int, rows: int) -> dict[str, pa.Array]:
    commands = draw.integers(len(_COMMANDS), size=rows).tolist()
    return {
        "Image": pa.array(_COMMANDS[at].partition(" ")[0] for at in commands),
        "CommandLine": pa.array(
            f"{_COMMANDS[at]} /srv/data/{number % 5000}"
            for number, at in enumerate(commands, start)
        ),
        "User": pa.array(f"user{n:02d}" for n in draw.integers(_PEOPLE, size=rows).tolist()),
        "ParentImage": pa.array(["/usr/bin/bash"] * rows),
    }


def _cloud(draw: _Draw, start: int, rows: int) -> dict[str, pa.Array]:
    calls, people = (
        draw.integers(len(_CALLS), size=rows).tolist(),
        draw.integers(_PEOPLE, size=rows),
    )
    names = [f"user{person:02d}" for person in people.tolist()]
    kinds = pa.array(["IAMUser"] * rows)
    return {
        "eventName": pa.array(_CALLS[call] for call in calls),
        "eventSource": pa.array(["ec2.amazonaws.com"] * rows),
        "sourceIPAddress": pa.array(
            f"198.51.100.{n}" for n in draw.integers(250, size=rows).tolist()
        ),
        "userIdentity": pa.StructArray.from_arrays([kinds, pa.array(names)], ["type", "userName"]),
    }


_Maker = Callable[[_Draw, int, int], dict[str, pa.Array]]
_BY_KIND: dict[BenchLane, list[tuple[Lane, _Maker]]] = {
    BenchLane.FILES: [(_FILES, _files)],
    BenchLane.RAW: [(_SYSLOG, _syslog)],
    BenchLane.MIXED: [
        (_FILES, _files),
        (_NETWORK, _network),
        (_SYSLOG, _syslog),
        (_REGISTRY, _registry),
        (_LINUX, _linux),
        (_CLOUD, _cloud),
    ],
}
