"""LEEF events in a body that is read as columns."""

import pytest

from tests.connectors.both_ways import LINE_BY_LINE, RECEIVED, decoded
from tocsin.ingest.decode import decode
from tocsin.model.record import Framing, RawBatch

WHOLE = b"<134>Jun 30 15:33:00 vault-2 LEEF:1.0|Example|Vault|2.0|login|usrName=ada\tsev=3"
HEADER = WHOLE.partition(b"usrName")[0]


@pytest.mark.parametrize("last", [HEADER, HEADER + b"words", HEADER.replace(b"1.0", b"2.0") + b"|"])
@pytest.mark.parametrize("whole", [0, 500])
def test_a_body_may_end_with_an_event_without_pairs(whole: int, last: bytes) -> None:
    """The place of its first pair is behind the last pair there is."""
    payload = b"\n".join([WHOLE] * whole + [last] * 500)
    found = decode(RawBatch("test", payload, RECEIVED, Framing.LINES))
    expected = decoded(payload, Framing.LINES, LINE_BY_LINE)
    assert list(found.records) == list(expected.records)
    assert found.unreadable == expected.unreadable
