"""A short soak: what real senders were told is safe is stored, whatever ended the server."""

import pytest

from tests.crash.small_disk import CanNotMount, SmallDisk
from tests.crash.soak import DISK_BYTES, quick_run

pytestmark = pytest.mark.slow
SEED = 20261122


def test_kills_and_a_full_disk_lose_nothing_acknowledged() -> None:
    untried = ""
    try:
        with SmallDisk(DISK_BYTES) as disk:
            report = quick_run(SEED, disk)
    except CanNotMount as error:
        untried = f"kills were tried, full disks not: no small one can be mounted here: {error}"
        report = quick_run(SEED, None)
    assert report["holds"], report["senders"]
    for sender in report["senders"]:
        assert sender["stored"] > 0, sender
    for ledger in report["ledgers"]:
        ended = ledger["stored"] + ledger["quarantined"] + ledger["duplicates"]
        assert ledger["received"] == ended, ledger
    if untried:
        pytest.skip(untried)
