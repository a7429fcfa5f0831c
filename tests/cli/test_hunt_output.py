"""A timeline is in order of time however much of it has to wait on disk."""

import pytest

from tocsin.cli.hunt_output import TimeOrder


@pytest.mark.parametrize("memory_bytes", [1, 1_000, 1 << 20])
def test_lines_are_sorted_by_time_and_keep_their_order_within_one(memory_bytes: int) -> None:
    lines = [(at * 37 % 56 - 5, b"%d line\nand more \x00 of it\n" % at) for at in range(300)]
    with TimeOrder(memory_bytes) as order:
        for time_us, line in lines:
            order.add(time_us, line)
        assert list(order.lines()) == [line for _, line in sorted(lines, key=lambda one: one[0])]


def test_nothing_gives_nothing() -> None:
    with TimeOrder(1) as order:
        assert list(order.lines()) == []


def test_what_waits_on_disk_is_let_go() -> None:
    with TimeOrder(1) as order:
        order.add(2, b"b")
        order.add(1, b"a")
        runs = list(order._runs)
        assert len(runs) == 2
    assert all(run.closed for run in runs)
