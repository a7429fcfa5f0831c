"""Many cases in one payload: what is read as columns is what is read line by line."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.connectors.both_ways import compare, compare_records
from tests.fuzz import samples
from tests.fuzz.decoders import NOW
from tests.fuzz.mappings import mapping_targets
from tocsin.ingest.bodies.bulk_body import take_bulk
from tocsin.ingest.bodies.hec_body import take_events
from tocsin.ingest.bodies.otlp_protobuf import take_proto_logs
from tocsin.ingest.cutting.cutting import Maker
from tocsin.ingest.syslog.syslog_escape import joined
from tocsin.model.record import Framing, RawBatch

_MAKER = Maker("fuzz", "fuzz", NOW)


@dataclass(frozen=True, slots=True)
class ColumnsTarget:
    """``check`` raises where columns hold something else than single records do."""

    name: str
    seeds: Sequence[bytes]
    framing: Framing = Framing.LINES
    is_mapped: bool = False
    """Whether the events are compared, too: several times as slow."""
    head: Sequence[bytes] = ()
    """What stands above the lines and names their fields."""

    def check(self, cases: Sequence[bytes]) -> None:
        lines = [*self.head, *cases]
        payload = joined(lines) if self.framing is Framing.SYSLOG else b"\n".join(lines)
        if self.is_mapped:
            compare([payload], self.framing)
        else:
            compare_records(payload, self.framing)


def columns_targets() -> list[ColumnsTarget]:
    records = samples.json_records()
    objects = [json.dumps(record).encode() for record in records]
    texts = samples.text_lines()
    formats = samples.formats()
    of_format = [
        ColumnsTarget(f"columns_{name}", formats[name])
        for name in ("cef", "leef", "key_value", "audit", "gelf", "journal")
    ]
    sent = _lines_of(batch for body in samples.hec_bodies(records) for batch in _hec(body))
    documents = _lines_of(batch for body in samples.bulk_bodies(records) for batch in _bulk(body))
    of_header = [
        ColumnsTarget(f"columns_{target.connector}", target.seeds, framing, head=(head,))
        for target in mapping_targets()
        for head, framing in target.heads
        if framing is Framing.W3C
    ]
    return [
        *of_format,
        *of_header,
        ColumnsTarget("columns_text", texts),
        ColumnsTarget("columns_syslog", samples.syslog_messages(), Framing.SYSLOG),
        ColumnsTarget("columns_json", objects),
        ColumnsTarget("columns_mixed", [*texts, *objects]),
        ColumnsTarget("columns_wrapped", samples.wrapped_lines()),
        ColumnsTarget("columns_windows", samples.windows_events(), Framing.EVTX),
        ColumnsTarget("columns_hec", sent, Framing.HEC),
        ColumnsTarget("columns_documents", documents, Framing.DOCUMENTS),
        ColumnsTarget("columns_otlp", _lines_of(_otlp()), Framing.OTLP),
        ColumnsTarget("columns_mapped", [*texts, *objects], is_mapped=True),
    ]


def _hec(body: bytes) -> list[RawBatch]:
    return take_events(body, _MAKER).batches


def _bulk(body: bytes) -> list[RawBatch]:
    return take_bulk(body, "fuzz", _MAKER).batches


def _otlp() -> list[RawBatch]:
    sent = samples.in_protobuf(ExportLogsServiceRequest, samples.otlp_logs())
    return take_proto_logs(sent, _MAKER).batches


def _lines_of(batches: Iterable[RawBatch]) -> list[bytes]:
    return [line for batch in batches for line in batch.payload.split(b"\n") if line]
