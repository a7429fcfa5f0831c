"""``tocsin search --format`` writes every event, in one piece or not at all."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def taken_in(tocsin: Callable[..., Any], tmp_path: Path) -> None:
    records = tmp_path / "records.ndjson"
    records.write_text("\n".join(json.dumps({"message": f"line {n}", "n": n}) for n in range(200)))
    assert tocsin("ingest", records).code == 0


@pytest.mark.usefixtures("taken_in")
def test_every_event_is_written(tocsin: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "found.csv"
    columns = ("--columns", "native.n,message")
    told = tocsin("search", "native.n:[50 TO 149]", "--format", "csv", "-o", file, *columns)
    assert (told.code, told.out) == (0, "")
    assert "100 events written" in told.err
    with file.open(newline="") as opened:
        header, *rows = csv.reader(opened)
    assert header == ["native.n", "message"]
    assert sorted(int(row[0]) for row in rows) == list(range(50, 150))
    printed = tocsin("search", "native.n:7", "--format", "ndjson")
    assert [json.loads(line)["native"]["n"] for line in printed.out.splitlines()] == [7]


@pytest.mark.usefixtures("taken_in")
def test_every_row_of_sql_is_written(tocsin: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    statement = "select native.n::int as n from events order by n"
    told = tocsin("search", "--sql", statement, "--format", "csv", "-o", file)
    assert (told.code, told.out) == (0, "")
    assert file.read_text().split() == ["n", *map(str, range(200))]


@pytest.mark.usefixtures("taken_in")
def test_what_can_t_be_written_leaves_no_file(tocsin: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "found.csv"
    assert tocsin("search", "a AND (", "--format", "csv", "-o", file).code == 2
    assert list(tmp_path.glob("*found*")) == []
    assert tocsin("search", "x", "--format", "csv", "-o", tmp_path / "no" / "x.csv").code == 3


def test_options_that_go_together_are_asked_for(tocsin: Callable[..., Any]) -> None:
    assert "goes with --format" in tocsin("search", "x", "-o", "x.csv").err
    assert "leave --json away" in tocsin("search", "x", "--json", "--format", "csv").err
