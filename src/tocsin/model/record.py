"""Records on their way in: raw as received, decoded into native fields, or unreadable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tocsin.model.shaped_records import ShapedRecords


class Framing(StrEnum):
    """How the payload of a raw batch is cut into records."""

    LINES = "lines"
    """Newline-separated records; each line's format is told from its content."""
    SYSLOG = "syslog"
    """Newline-separated syslog messages (RFC 3164 or 5424), newlines inside escaped as ``\\n``."""
    EVTX = "evtx"
    """NDJSON of records as the evtx parser renders them (``{"Event": …}``)."""
    ZEEK_TSV = "zeek_tsv"
    """Zeek's own header lines (``#separator`` …), then tab-separated records."""
    W3C = "w3c"
    """Lines ``#Fields: …`` (or the names alone, as AWS flow logs have them), then records of
    blank-separated values."""
    HEC = "hec"
    """NDJSON of events for Splunk's HTTP Event Collector: ``event`` and what is said about it."""
    DOCUMENTS = "documents"
    """NDJSON of documents for Elasticsearch; one may wrap a line of text in ``message``."""
    OTLP = "otlp"
    """NDJSON of OpenTelemetry's records: ``body``, and what is said about it in ``otel``."""
    FRAGMENT = "fragment"
    """A piece of one record that could not be cut out whole (too large, or the input ended
    inside it): not decoded, kept in quarantine."""


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Bytes exactly as a listener or file reader took them in.

    ``source`` is the name the operator knows the sender by; ``place`` is where the bytes came
    from (a path, or ``udp 10.0.0.5:514``); ``first_ordinal`` is the number of the first record
    within that place, from 1, so that errors can name a line; ``connector`` is a hint that skips
    recognition when the operator has said what the source is.
    """

    source: str
    payload: bytes
    received_at: datetime
    framing: Framing = Framing.LINES
    place: str = ""
    first_ordinal: int = 1
    tenant: str = "default"
    connector: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that could not be understood: kept whole, with why and where."""

    source: str
    place: str
    ordinal: int
    reason: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Decoded:
    """Native records of one raw batch, in order.

    ``records[i]`` are the fields as the vendor names them, ``lines[i]`` the bytes they were read
    from, ``ordinals[i]`` their 0-based number within the raw batch. Records that must keep their
    raw bytes (duplicate JSON keys, invalid UTF-8 that was replaced) have their index in
    ``keep_raw``. Where ``shaped`` is given it holds the same records columnwise; ``records`` and
    ``lines`` are then made when asked for, one by one, which is slow.
    """

    records: Sequence[dict[str, object]]
    lines: Sequence[bytes]
    ordinals: list[int]
    unreadable: list[Unreadable] = field(default_factory=list)
    keep_raw: frozenset[int] = frozenset()
    shaped: ShapedRecords | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a decoded batch came from; enough to give each record its repeatable event id."""

    source: str
    received_at: datetime
    spool: str
    position: int
    tenant: str = "default"
    place: str = ""
    connector: str | None = None


NativeFields = Mapping[str, object]
