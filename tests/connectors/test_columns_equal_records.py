"""Reading a payload columnwise gives exactly what reading it record by record gives."""

import gzip
import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.connectors.both_ways import RECEIVED, SPLIT, compare, decoded
from tocsin.connectors.catalog import sample_folders
from tocsin.ingest.cutting.files import read_paths
from tocsin.model.record import Framing, RawBatch

NAMES = st.sampled_from(
    (
        *("a", "A", "b", "EventID", "ts", "message", "Channel", "eventVersion", "_remainder"),
        *("a long name of a field", "a long nAme of a field", "", "ä", 'q"', "back\\slash"),
    )
)
TEXTS = st.one_of(
    st.sampled_from(["", "-", "C:\\Windows\\a.exe", "\n", "é", "𝄞", "true", "1", "\\u0041", "{}"]),
    st.text(max_size=8),
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**66), 2**66),
        st.integers(-3, 3),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from([0.0, -0.0, 1.0, 1e22, 2**53, 2**53 + 1]),
        TEXTS,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
RECORDS = st.dictionaries(NAMES, VALUES, max_size=5)
ODD = (
    b'{"a":1,"a":2}',
    b'{"a":01}',
    b'{"a":-0}',
    b'{"a":1.}',
    b'{"a":+1}',
    b'{"a":1e999}',
    b'{"a":NaN}',
    b'{"a":nul}',
    b'{"a":"\\ud800"}',
    b'{"a":"\\ud834\\udd1e"}',
    b'{"a":"\\x"}',
    b'{"a":"\t"}',
    b'{"a":"b"}{"a":"c"}',
    b'{"a":"b"',
    b'"b":"c"}',
    b'{"a":"b"}\r',
    b'{"a" :"b"}',
    b'{ "a":"b"}',
    b'{"a": "b", "b": 1}',
    b'{"a":"b",}',
    b'{"a","b"}',
    b'{"a":["b":"c"]}',
    b'{"a":{"b"}}',
    b'{"a":[1,"b",2]}',
    b'{"a":[[1,2],[3]],"b":"c"}',
    b'{"a":[1, 2.5],"b":[]}',
    b'{"a":[01],"b":"c"}',
    b'{"a":[1,],"b":"c"}',
    b'{"a":12345678901234567890123456789012345678901234567890}',
    b'{"Event":{"System":{"EventID":{"#attributes":{"Qualifiers":0},"#text":1}}}}',
    b'{"Event":{"System":{"EventID":1},"EventData":{"Data":{"#text":["a","b"]}}}}',
    b'{"Event":{"System":{"Provider":{"#attributes":"x"}},"EventData":{"Data":"x"}}}',
    b"{}",
    b"",
    b"words",
    b"\xef\xbb\xbf{}",
    b'{"a":"b\x00"}',
)
ODD_LINES = st.sampled_from(ODD)
SOUND = (
    b'{"a":1}',
    b'{"a":true}',
    b'{"a":"b"}',
    b'{"a":[1,2],"b":"c"}',
    b'{"a":{"b":"c"}}',
    b'{"a": "b", "b": 1}',
    b'{"first of all names":1,"z":""}',
)
DUMPS = st.sampled_from([{"separators": (",", ":")}, {}, {"ensure_ascii": False}])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.one_of(RECORDS, ODD_LINES), min_size=2, max_size=12),
    DUMPS,
    st.integers(1, 3),
    st.sampled_from([Framing.LINES, Framing.EVTX]),
)
def test_made_up_records(
    records: list[Any], dumps: dict[str, Any], times: int, framing: Framing
) -> None:
    lines = [
        one if isinstance(one, bytes) else json.dumps(one, **dumps).encode("utf-8", "surrogatepass")
        for one in records
    ]
    half = len(lines) // 2
    compare([b"\n".join(lines[:half] * times), b"\n".join(lines[half:] * times)], framing)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(ODD_LINES, st.integers(0, 80), st.binary(max_size=3)), max_size=8))
def test_broken_lines(cuts: list[tuple[bytes, int, bytes]]) -> None:
    broken = [line[:at] + noise.replace(b"\n", b"") + line[at:] for line, at, noise in cuts]
    compare([b"\n".join([b'{"a":"b"}', *broken, b'{"a":"c"}'])])


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_line_among_sound_ones(odd: bytes) -> None:
    compare([b"\n".join([*SOUND, odd, *SOUND, odd, *SOUND])])


@pytest.mark.parametrize(
    "other",
    [
        b'{"first of All names":1,"z":""}',
        b'{"first of all names":01,"z":""}',
        b'{"first of all names":-0,"z":""}',
        b'{"first of all names":1e999,"z":""}',
        b'{"first of all names":1.,"z":""}',
        b'{"first of all names":tru,"z":""}',
        b'{"first of all names":1,"Z":""}',
        b'{"first of all names":1,"z":"\\ud800"}',
        b'{"first of all names":1,"z":"\\q"}',
        b'{"first of all names":1,"z":"\x01"}',
        b'{"first of all names":1;"z":""}',
    ],
)
def test_lines_that_only_seem_to_be_of_one_shape(other: bytes) -> None:
    one = SOUND[-1]
    assert compare([b"\n".join([one, one, other, one, other])])[1] >= 3


ALIKE = [
    b'{"a":"C:\\\\Windows","b":%d,"c":{"d":%s,"e":null},"f":["\\"x\\"",-1.5]}' % (at, truth)
    for at, truth in zip(range(60), [b"true", b"false", b"true"] * 20, strict=True)
]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r", b"\n\n", b"\\"])
def test_lines_that_are_alike(end: bytes) -> None:
    assert decoded(b"\n".join(ALIKE), Framing.LINES, SPLIT).shaped.tables  # type: ignore[union-attr]
    assert compare([b"\n".join(ALIKE) + end, b"\r\n".join(ALIKE) + end])[0] >= 118


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"a":"C', b'"a":"C\\"'),
        (b'"a":"C', b'"a":"C\\n'),
        (b'"a":"C', b'"a":"C\\u0041\\/'),
        (b'"a":"C', b'"a":"C\r'),
        (b'"a":"C', b'"a":"C\x00'),
        (b'"a":"C', b'"a":C'),
        (b'"a":', b'"a": '),
        (b'"a":', b'"a","x":'),
        (b'"a":', b'"A":'),
        (b'"a":', b'"\\a":'),
        (b'"a":', b'"a"\\:'),
        (b'"b":', b'"b":0'),
        (b'"b":', b'"b":-'),
        (b'"b":', b'"b":1e99'),
        (b'"b":', b'"b":1e999'),
        (b'"b":', b'"b":[1],"x":'),
        (b"true", b"null"),
        (b"true", b"1"),
        (b"null", b'""'),
        (b"null", b"NULL"),
        (b'{"a"', b'\xef\xbb\xbf{"a"'),
        (b'{"a"', b' {"a"'),
        (b"]}", b"]}\\"),
        (b"]}", b"]}\\\r"),
        (b"]}", b"]} "),
        (b"]}", b'],"a":1}'),
        (b"]}", b"]}\n"),
        (b"]}", b"]}\n{}\n"),
    ],
)
@pytest.mark.parametrize("places", [[0], [30], [59], [7, 8], list(range(20)), list(range(60))])
def test_lines_that_are_alike_but_for_some(old: bytes, new: bytes, places: list[int]) -> None:
    lines = [line.replace(old, new, 1) if at in places else line for at, line in enumerate(ALIKE)]
    compare([b"\n".join(lines), b"\n".join(ALIKE)])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 59), st.integers(0, 70), st.binary(max_size=4)), max_size=4)
)
def test_lines_that_are_alike_but_for_noise(changes: list[tuple[int, int, bytes]]) -> None:
    lines = list(ALIKE)
    for line, at, noise in changes:
        lines[line] = lines[line][:at] + noise + lines[line][at:]
    compare([b"\n".join(lines)])


@pytest.mark.parametrize("address", [b"[null]", b"[null,3]", b"[1]", b"[]", b'["192.0.2.1"]'])
def test_lists_where_a_shape_asks_for_a_text(address: bytes) -> None:
    line = b'{"ecs":{"version":"8"},"source":{"ip":%s},"destination":{"ip":"192.0.2.9"}}' % address
    assert compare([b"\n".join([line] * 60)])[0] == 60


@pytest.mark.parametrize("name", ["activity_id", "severity_id", "class_uid", "type_uid", "time"])
@pytest.mark.parametrize("value", [[2], {"a": 1}, 2**63, "+2", 1e300, True])
def test_events_of_ocsf_with_something_else_where_a_number_belongs(name: str, value: Any) -> None:
    said = {"class_uid": 4003, "category_uid": 4, "activity_id": 2, "type_uid": 400302}
    event = said | {"metadata": {"version": "1.8.0"}, "severity_id": 1, name: value}
    assert compare([json.dumps(event).encode()])[0] == 1


@pytest.mark.parametrize("number", ["1e400", "1" + "0" * 400, "9" * 310 + ".5", "1" + "0" * 100])
def test_a_list_with_a_number_beyond_all_others(number: str) -> None:
    lines = [f'{{"a":[1,{at}]}}' for at in range(80)] + [f'{{"a":[1,{number}]}}'] * 40
    compare(["\n".join(lines).encode()])


def test_few_records_with_many_values_beside_one_of_another_type() -> None:
    parts = [{"name": f"n{at}", "size": at, "inner": {"on": at % 2 == 0}} for at in range(40)]
    wide = json.dumps({"kind": "wide", "Parts": parts})
    odd = json.dumps({"kind": "odd", "Parts": "half a letter \ud800"})  # read by itself
    lines = [wide, wide, odd, wide.replace("n39", "m39"), wide, odd]
    assert compare(["\n".join(lines).encode()])[0] == len(lines)


def test_every_sample_of_every_connector() -> None:
    payloads = [
        path.read_bytes()
        for folder in sample_folders()
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.endswith(".expected.json")
    ]
    assert compare(payloads)[0] > 100


def recordings(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".json") and not name.startswith("__MACOSX"):
                    yield name, archive.read(name)


@pytest.mark.slow
def test_recorded_windows_events(test_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compared = shaped = 0
    for _, payload in recordings(test_data / "security-datasets" / "datasets" / "atomic"):
        lines = payload.split(b"\n")[:2_000]
        found = compare([b"\n".join(lines[:700]), b"\n".join(lines[700:])])
        compared += found[0]
        shaped += found[1]
    with capsys.disabled():
        print(f"\ncompared {compared} recorded events, {shaped} read by shape")  # noqa: T201
    assert shaped > compared // 2


def test_zeek_logs(test_data: Path) -> None:
    for path in sorted((test_data / "zeek-twins" / "zeek-json").glob("*.gz")):
        lines = gzip.decompress(path.read_bytes()).split(b"\n")[:1_500]
        compare([b"\n".join(lines)])


def test_windows_event_logs(test_data: Path, tmp_path: Path) -> None:
    with tarfile.open(test_data / "evtx-attack-samples" / "evtx.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    files = sorted(tmp_path.rglob("*.evtx"))
    payloads = [
        raw.payload
        for raw in read_paths(files, source="evtx", received_at=RECEIVED, on_progress=None)
        if isinstance(raw, RawBatch)
    ]
    compared, shaped = compare(payloads, Framing.EVTX)
    assert compared >= 8_255
    assert shaped > compared // 2


def test_cloud_calls(test_data: Path) -> None:
    payloads = []
    with tarfile.open(test_data / "cloudtrail-stratus" / "detonation-logs.tar.xz") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.name.endswith(".json") else None
            if content is not None:
                found = json.load(content)
                records = found.get("Records", [found]) if isinstance(found, dict) else found
                payloads.append(b"\n".join(json.dumps(record).encode() for record in records))
    assert compare(payloads)[0] == 150
    assert compare([b"\n".join(payloads)])[0] == 150
