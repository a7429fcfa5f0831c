"""Drafts a mapping for what a source sends and nobody knows, from what of it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.app.senders.unknown_replay import UNKNOWN_LANE
from tocsin.app.wiring import Tocsin
from tocsin.ingest.decode import decode
from tocsin.model.record import RawBatch
from tocsin.model.source import QuarantinedRecord
from tocsin.normalize.mapping_draft import MappingDraft, draft_mapping
from tocsin.store.lucene import quoted
from tocsin.store.query import EventQuery

_LOOKED_AT = 500
_RECORDS = 100
_COMPARED = 200
_RECORD_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class SourceDraft:
    """What was drafted from which records; None when there are none.

    ``of_text`` says that some in quarantine had to be taken as lines of text.
    """

    draft: MappingDraft | None
    records: Sequence[dict[str, object]] = ()
    of_text: bool = False


def draft_for(house: Tocsin, source: str, *, from_quarantine: bool = False) -> SourceDraft:
    """A draft from its latest stored events of unknown format, or from its quarantine."""
    records, of_text = (
        _quarantined(house, source) if from_quarantine else (_unknown(house, source), False)
    )
    if not records:
        return SourceDraft(None)
    return SourceDraft(draft_mapping(records, connector_name(source)), records, of_text)


def known_events(house: Tocsin) -> list[tuple[str, dict[str, object]]]:
    """The latest stored events that some mapping knows, with their lanes."""
    query = EventQuery(f"NOT lane:{quoted(UNKNOWN_LANE)}", size=_COMPARED)
    return [(one.lane, one.native) for one in house.events.search(query).events]


def connector_name(source: str) -> str:
    """The last part of a source's name as a connector may be called."""
    part = source.rstrip("/").rpartition("/")[2].lower()
    return "".join(c if c.isalnum() else "_" for c in part).strip("_") or "unknown"


def _unknown(house: Tocsin, source: str) -> list[dict[str, object]]:
    query = f"source:{quoted(source)} AND lane:{quoted(UNKNOWN_LANE)}"
    return [one.native for one in house.events.search(EventQuery(query, size=_LOOKED_AT)).events]


def _quarantined(house: Tocsin, source: str) -> tuple[list[dict[str, object]], bool]:
    with house.state.read() as tx:
        kept = house.sources.quarantined(tx, source=source, size=_RECORDS).items
    records: list[dict[str, object]] = []
    of_text = False
    for one in kept:
        payload = (house.blobs.get(one.digest) or b"")[:_RECORD_BYTES]
        read = _read(one, payload)
        of_text |= not read
        records += read or [{"message": payload.decode("utf-8", "replace")}]
    return records, of_text


def _read(one: QuarantinedRecord, payload: bytes) -> list[dict[str, object]]:
    """The record as a line of any known format; empty when it is none."""
    return list(decode(RawBatch(one.source, payload, one.received_at)).records)
