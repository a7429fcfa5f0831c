"""A few runs of the soak: what real senders were told is safe is stored, whatever ended the server."""

from typing import Any

import pytest

from tests.crash.small_disk import CanNotMount
from tests.crash.soak import full_disk_runs, kill_runs

pytestmark = pytest.mark.slow


def hold(report: dict[str, Any]) -> None:
    assert report["holds"], report["senders"]
    for sender in report["senders"]:
        assert sender["stored"] > 0, sender
    for ledger in report["ledgers"]:
        ended = ledger["stored"] + ledger["quarantined"] + ledger["duplicates"]
        assert ledger["received"] == ended, ledger


def test_kills_at_random_moments_lose_nothing_acknowledged() -> None:
    hold(kill_runs(3, seed=20261122))


def test_a_full_disk_loses_nothing_acknowledged() -> None:
    try:
        hold(full_disk_runs(2, seed=20261122))
    except CanNotMount as error:
        pytest.skip(f"no small disk can be mounted here: {error}")
