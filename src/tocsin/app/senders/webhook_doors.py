"""The doors of webhooks: check who signed, take what is new in, count what is refused."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

import orjson

from tocsin.app.settings.secrets_kept import secrets_of
from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.pull.pull import Secrets
from tocsin.ingest.pull.pull_book import RefusedCount
from tocsin.ingest.pull.pull_settings import WebhookSettings
from tocsin.ingest.pull.webhook_signature import WebhookRefused, check_signature
from tocsin.ingest.records.envelope import with_envelope
from tocsin.ingest.sources.seen_ids import SeenIds, key_of
from tocsin.model.intake import Intake, IntakeState
from tocsin.model.record import RawBatch
from tocsin.store.ports import Note, StateStore

_REMEMBERED = 160_000
_REMEMBERED_H = 72.0
"""GitHub lets a delivery be sent again for three days; signed times are judged by ``window_s``."""
_FORM = "application/x-www-form-urlencoded"
_TOLD = {"x-github-event": "event", "x-github-delivery": "delivery", "webhook-id": "delivery"}
"""Headers that say what the body does not; kept as ``webhook`` beside the record's fields."""


@dataclass(slots=True)
class _Door:
    """One webhook, and the deliveries it has taken lately."""

    settings: WebhookSettings
    source: str
    secrets: Secrets
    refused: RefusedCount
    taken: SeenIds
    counting: threading.Lock = field(default_factory=threading.Lock)
    count: int = 0
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request; ``challenge`` is what Slack wants to hear back."""

    batches: int
    is_repeated: bool = False
    challenge: str = ""


class WebhookDoors:
    """All webhooks of the settings by name."""

    def __init__(
        self,
        settings: Sequence[WebhookSettings],
        state: StateStore,
        accept: Callable[[Sequence[RawBatch], Note], int],
        folder: Path,
    ) -> None:
        """``folder`` is where the deliveries taken lately are kept, over a restart too."""
        self._accept = accept
        self._doors = {
            one.name: _Door(
                one,
                one.source or f"webhook/{one.name}",
                secrets_of(one, f"webhooks {one.name!r}"),
                RefusedCount(state, f"webhook/{one.name}"),
                SeenIds(folder / one.name, most=_REMEMBERED, hours=_REMEMBERED_H),
            )
            for one in settings
        }

    def learn(self, source: str, keys: Sequence[bytes]) -> None:
        """Remember the deliveries that were taken in for ``source`` before a crash."""
        for door in self._doors.values():
            if door.source == source:
                door.taken.learn(keys)

    def __contains__(self, name: str) -> bool:
        return name in self._doors

    def take(self, name: str, headers: Mapping[str, str], body: bytes, place: str) -> Taken:
        """Check and make durable; raises WebhookRefused (counted), PullError without a secret.

        ``headers`` have names in lower case. What was taken lately is not taken again,
        and answered as well: its sender did not hear us.
        """
        door = self._doors[name]
        now = datetime.now(UTC)
        try:
            signed = check_signature(
                door.settings, door.secrets("secret"), headers, body, now.timestamp()
            )
        except WebhookRefused as error:
            door.refused.add(error.reason)
            raise
        if challenge := _challenge(door.settings, body):
            return Taken(0, challenge=challenge)
        with door.taken.claiming() as claim:  # the same twice at once is taken once
            deliveries = [key_of(signed.delivery.encode())] if signed.delivery else []
            if claim.known(deliveries):
                door.refused.add("sent again")
                return Taken(0, is_repeated=True)
            batches = split_lines(
                with_headers(headers, body),
                door.source,
                now,
                place=place,
                connector=door.settings.connector,
            )
            claim.fresh = deliveries
            if batches:
                self._accept(batches, claim)
        with door.counting:
            door.count, door.last_at = door.count + 1, now
        return Taken(len(batches))

    def look(self) -> list[Intake]:
        """Each door with what it refused, by reason."""
        return [
            Intake(
                f"webhook/{name}",
                "webhook",
                door.source,
                IntakeState.CONNECTED,
                unit="requests",
                portions=door.count,
                last_at=door.last_at,
                refused=door.refused.by_reason(),
            )
            for name, door in self._doors.items()
        ]

    def close(self) -> None:
        for door in self._doors.values():
            door.refused.close()


def _challenge(settings: WebhookSettings, body: bytes) -> str:
    """Slack asks once whether the address is ours ("url_verification")."""
    if settings.scheme != "slack" or b"url_verification" not in body:
        return ""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(told, dict) or told.get("type") != "url_verification":
        return ""
    return str(told.get("challenge", ""))


def with_headers(headers: Mapping[str, str], body: bytes) -> bytes:
    """The body as JSON where it is a form; an object gets what only the headers say."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM:
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        body = fields["payload"].encode() if "payload" in fields else orjson.dumps(fields)
    told = {name: headers[header] for header, name in _TOLD.items() if header in headers}
    if not told or body.lstrip()[:1] != b"{":
        return body
    try:
        record = json.loads(body)  # keeps integers of any size, as orjson does not
    except (ValueError, RecursionError):
        return body
    return json.dumps(with_envelope(record, "webhook", told)).encode()
