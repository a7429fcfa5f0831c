"""Keeps signed decision records: who decided what about which plan, verifiable later."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from tocsin.model.identifier import repeatable_id
from tocsin.respond.canonical import canonical_json
from tocsin.respond.once import insert_once
from tocsin.respond.signature import Signer, is_signed_by
from tocsin.respond.tables import decision_records


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A record as it was signed. ``signature`` is base64 Ed25519 over ``record``'s JCS bytes."""

    id: str
    kind: str
    subject: str
    case_id: str
    record: dict[str, Any]
    signature: str
    key_id: str
    created_at: datetime


class DecisionBook:
    """Decision records; written once for each kind and subject, never changed."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def sign(
        self,
        tx: Connection,
        *,
        kind: str,
        subject: str,
        case_id: str,
        facts: dict[str, Any],
        now: datetime,
    ) -> None:
        """Sign and keep ``facts`` (text, whole numbers, lists, objects) about ``subject``."""
        record = {
            "type": f"tocsin-{kind}-decision",
            "version": 1,
            "subject": subject,
            "case": case_id,
            "time": now.astimezone(UTC).isoformat(timespec="milliseconds"),
            "key_id": self._signer.key_id,
            **facts,
        }
        insert_once(
            tx,
            decision_records,
            {
                "id": repeatable_id("decision", kind, subject),
                "kind": kind,
                "subject": subject,
                "case_id": case_id,
                "record": canonical_json(record).decode("utf-8"),
                "signature": self._signer.sign(record),
                "key_id": self._signer.key_id,
                "created_at": now,
            },
        )

    def of(self, tx: Connection, subject: str) -> list[DecisionRecord]:
        """The records about an approval or lease, oldest first."""
        rows = tx.execute(
            select(decision_records)
            .where(decision_records.c.subject == subject)
            .order_by(decision_records.c.created_at, decision_records.c.id)
        )
        return [
            DecisionRecord(
                id=row.id,
                kind=row.kind,
                subject=row.subject,
                case_id=row.case_id,
                record=json.loads(row.record),
                signature=row.signature,
                key_id=row.key_id,
                created_at=row.created_at,
            )
            for row in rows
        ]

    def is_genuine(self, record: DecisionRecord) -> bool:
        """True when this platform's key signed exactly this record."""
        return is_signed_by(self._signer.public_key, record.record, record.signature)
