"""Records below a header are the same as columns and read one by one."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest.decode import decode
from tocsin.model.record import Decoded, Framing, RawBatch
from tocsin.model.shaped_records import ShapedRecords

NOW = datetime(2026, 6, 30, tzinfo=UTC)
HEADERS = [
    b"#Fields: date time cs-method cs-uri-stem cs(User-Agent)\n",
    b"#Date: 2026-06-30 15:10:00\n#Fields: time cs-method cs-uri-stem a b\n",
    b"#Fields: time cs-method cs-uri-stem a b\n",
    b"version account-id srcaddr dstaddr start\n",
]
VALUES = st.sampled_from(
    [
        *(b"-", b"x", b"--", b"2026-06-30", b"15:10:00", b"/a?b=c", b'"q"', b'"q  ""r"'),
        *(b"\xc3\xa4", b"", b"a\tb", b"\xff", b"{", b"version", b"#", b"\xc2\xa0"),
    ]
)
LINES = st.lists(VALUES, min_size=3, max_size=6).map(b" ".join)
ODD = st.sampled_from(
    [
        *(b"", b" ", b"\r", b"#Fields: a b c", b"#Fields: time cs-method cs-uri-stem a b"),
        *(b"#Date: 2026-07-01 00:00:00", b"#Remark: x"),
        b"version account-id srcaddr dstaddr start",
    ]
)


def read(payload: bytes) -> Decoded:
    return decode(RawBatch("web", payload, NOW, Framing.W3C, place="file", first_ordinal=7))


def values_of(shaped: ShapedRecords) -> dict[int, dict[str, object]]:
    found = {row: dict(record) for row, record in shaped.loose.items()}
    for table in shaped.tables:
        columns = [column.to_pylist() for column in table.columns]
        for at, row in enumerate(table.rows.tolist()):
            found[row] = {
                name: columns[slot - 1][at]
                for name, slot in table.template.record.items()
                if isinstance(slot, int)
            }
    return found


def check(header: bytes, lines: list[bytes]) -> Decoded:
    """Read many lines together, and again in payloads too small to be columns."""
    found = read(header + b"\n".join(lines))
    above = header
    records: list[dict[str, object]] = []
    unreadable: list[tuple[int, str, bytes]] = []
    for number, line in enumerate(lines):
        single = read(above + line)
        records += list(single.records)
        unreadable += [(7 + number, one.reason, one.payload) for one in single.unreadable]
        if line.startswith((b"#", b"version account-id ")):
            above += line.removesuffix(b"\r") + b"\n"
    assert list(found.records) == records
    told = dict(enumerate(found.records)) if found.shaped is None else values_of(found.shaped)
    assert [told[row] for row in range(len(records))] == records
    assert [list(told[row]) for row in range(len(records))] == [list(one) for one in records]
    assert [(one.ordinal, one.reason, one.payload) for one in found.unreadable] == unreadable
    assert list(found.lines) == [lines[ordinal].removesuffix(b"\r") for ordinal in found.ordinals]
    return found


@given(st.sampled_from(HEADERS), st.lists(st.one_of(LINES, LINES, ODD), min_size=1, max_size=12))
def test_columns_say_what_single_lines_say(header: bytes, some: list[bytes]) -> None:
    filling = b"2026-06-30 15:10:00 GET /" + b"a" * 700 + b" curl"
    check(header, [filling, *some * 5, *[filling] * 40, *some])


def test_many_lines_with_the_same_fields_become_columns() -> None:
    full, empty = b"2026-06-30 15:10:00 GET / curl", b"2026-06-30 15:10:00 GET - -"
    found = check(HEADERS[0], [full, empty] * 500)
    assert found.shaped is not None
    assert not found.shaped.loose
    assert [list(table.template.record) for table in found.shaped.tables] == [
        ["date", "time", "cs-method"],
        ["date", "time", "cs-method", "cs-uri-stem", "cs(User-Agent)"],
    ]


def test_the_day_of_the_header_is_that_of_records_without_one() -> None:
    found = check(HEADERS[1], [b"15:10:00 GET /" + b"a" * 40 + b" - -", b"- GET / x y"] * 500)
    assert found.shaped is not None
    assert [table.template.record.get("date") for table in found.shaped.tables] == [4, None]


def test_where_the_header_changes_lines_are_read_one_by_one() -> None:
    lines = [b"15:10:00 GET /" + b"a" * 40 + b" - -"] * 500
    for change in (b"#Date: 2026-07-01 00:00:00", b"#Fields: a b c d e"):
        assert check(HEADERS[1], [*lines, change, *lines]).shaped is None
    assert check(HEADERS[1], [*lines, b"#Remark: x", *lines]).shaped is not None
