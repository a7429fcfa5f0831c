"""``tocsin search`` in the terminal: chosen columns, and counts over time as bars."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tocsin.cli import output

LOG = (
    "Mar  1 10:00:00 jump sshd[1]: Failed password for root from 203.0.113.9 port 1 ssh2\n"
    "Mar  1 10:00:01 jump sshd[1]: Failed password for root from 203.0.113.9 port 1 ssh2\n"
    "Mar  1 11:00:00 jump sshd[1]: Failed password for ann from 203.0.113.9 port 1 ssh2\n"
)


@pytest.fixture
def filled(tocsin: Callable[..., Ran], tmp_path: Path) -> Callable[..., Ran]:
    log = tmp_path / "auth.log"
    log.write_text(LOG)
    os.utime(log)
    assert tocsin("ingest", log, "--source", "jump").code == 0
    return tocsin


def test_events_are_shown_in_the_columns_chosen_and_counted_over_time(
    filled: Callable[..., Ran],
) -> None:
    shown = filled("search", "Failed", "--columns", "user, src_ip,native.pid").out
    assert "203.0.113.9" in shown
    assert "native.pid" in shown
    assert "Failed password" not in shown
    assert "3 of 3 events" in shown
    bars = filled("search", "source:jump", "--histogram", "4").out.splitlines()
    assert [line.split()[-1] for line in bars[:4]] == ["2", "0", "0", "1"]
    assert bars[0].count("█") == 60
    assert bars[3].count("█") == 30
    assert "3 events" in bars[4]
    assert len(filled("search", "--histogram", "4", "--json").json["buckets"]) == 4
    split = filled("search", "--histogram", "2", "--by", "user").out
    assert [word for word in ("root", "ann", "others or none") if word in split] == [
        *("root", "ann", "others or none")
    ]


def test_a_narrow_terminal_has_shorter_bars_and_fewer_columns(
    filled: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output.out, "width", 60)
    told = filled("search", "Failed").out
    assert "no room for source, lane;" in told
    assert "│ 2026-" in told
    bars = filled("search", "source:jump", "--histogram", "4").out.splitlines()
    assert max(map(len, bars)) <= 60
    assert bars[0].count("█") == 25


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--histogram", "4", "--columns", "user"), "--histogram goes with a filter alone"),
        (("--sql", "--columns", "user"), "--columns goes with a table"),
        (("--output", "x"), "--output goes with --format"),
        (("--by", "user"), "--by goes with --histogram"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    tocsin: Callable[..., Ran], options: tuple[str, ...], words: str
) -> None:
    told = tocsin("search", "x", *options)
    assert told.code == 3
    assert words in told.err
