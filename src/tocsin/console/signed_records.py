"""Signed decisions about an approval or a lease, made ready to be read and checked."""

from dataclasses import dataclass

import orjson
from sqlalchemy import Connection

from tocsin.console.visit import Visit
from tocsin.respond.decision_book import DecisionRecord


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """A decision record, its text, and whether this platform's key signed exactly that."""

    record: DecisionRecord
    text: str
    is_genuine: bool


def signed_records(visit: Visit, tx: Connection, subject: str) -> list[SignedRecord]:
    desk = visit.tocsin.response
    return [
        SignedRecord(
            record,
            orjson.dumps(record.record, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode(),
            desk.is_genuine(record),
        )
        for record in desk.decisions(tx, subject)
    ]
