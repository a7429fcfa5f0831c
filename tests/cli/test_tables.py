"""Tables can be read in any terminal, and nothing in a cell steers it."""

import io

import pytest
from rich.console import Console

from tocsin.cli import output
from tocsin.cli.output import print_table

COLUMNS = ("name", "received", "silent since", "owner")
ROWS = [["fw-edge-01", 1200, "2026-03-04T09:00:00Z", ""], ["an\x1b[2Jother", 0, None, "ada"]]


def printed(width: int, monkeypatch: pytest.MonkeyPatch, title: str = "Sources") -> str:
    file = io.StringIO()
    monkeypatch.setattr(output, "out", Console(file=file, width=width, highlight=False))
    print_table(title, COLUMNS, ROWS)
    return file.getvalue()


def test_a_wide_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    told = printed(100, monkeypatch)
    assert any("fw-edge-01" in line and "1200" in line for line in told.splitlines())


@pytest.mark.parametrize("width", [20, 40, 50])
def test_a_narrow_one_gets_names_and_values_line_by_line(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [" ".join(line.split()) for line in printed(width, monkeypatch).splitlines()]
    assert lines[:3] == ["Sources", "name fw-edge-01", "received 1200"]
    assert "owner ada" in lines
    assert max(map(len, lines)) <= width


def test_empty_values_take_no_line_and_a_table_without_rows_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert printed(50, monkeypatch).count("owner") == 1
    monkeypatch.setattr(output, "out", Console(file=(file := io.StringIO()), width=20))
    print_table("Sources", COLUMNS, [])
    assert file.getvalue().strip() == "Sources"


@pytest.mark.parametrize("width", [50, 100])
def test_no_cell_steers_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    told = printed(width, monkeypatch)
    assert "\x1b" not in told
    assert "\\x1b" in told
