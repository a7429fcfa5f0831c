"""A sending: bytes as one sender of the sample company puts them on the wire or in a file."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Channel(StrEnum):
    """By which door a sending comes in."""

    SYSLOG_UDP = "syslog_udp"
    SYSLOG_TCP = "syslog_tcp"
    HTTP = "http"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Sending:
    """Raw vendor records sent together.

    ``payload`` is newline-separated: NDJSON for ``http``, one message a line for syslog, the
    whole file for ``file`` (then ``filename`` names it). ``source`` is the name the operator
    gives the sender; syslog senders name themselves, there it is ``syslog/<host>``. ``at`` is the
    time of the last record, ``records`` counts them all, ``broken`` those of them nobody can read.
    """

    channel: Channel
    source: str
    payload: bytes
    records: int
    broken: int
    at: datetime
    filename: str = ""

    @property
    def messages(self) -> list[bytes]:
        """The records of a newline-separated payload, one by one."""
        return self.payload.split(b"\n")
