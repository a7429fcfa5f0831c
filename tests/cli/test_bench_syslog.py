"""The messages of the syslog benchmark arrive as they were made, however they are framed."""

import pytest

from tocsin.app.benches.bench_traffic import Traffic
from tocsin.cli.bench_syslog import by_counts, by_newlines, messages
from tocsin.ingest.syslog.syslog_framing import StreamFraming


@pytest.mark.parametrize("traffic", [Traffic.SSHD, Traffic.ACCESS, Traffic.STRUCTURED])
def test_a_server_reads_what_was_framed(traffic: Traffic) -> None:
    made = list(messages(traffic, 50))
    assert len(made) == 50
    assert all(message.startswith(b"<") for message in made)
    for framed in (by_newlines(made), by_counts(made)):
        framing = StreamFraming()
        read: list[tuple[bytes, bool]] = []
        for start in range(0, len(framed), 1000):
            read += framing.feed(framed[start : start + 1000])
        read += framing.finish()
        assert read == [(message, True) for message in made]
