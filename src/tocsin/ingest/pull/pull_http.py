"""Pulls from an HTTP API page by page; the cursor is kept once a page is on disk."""

import hashlib
import json
import ssl
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx2

from tocsin.ingest.bodies.content_encoding import UnpackedTooLarge, UnpackFault, unpacked
from tocsin.ingest.cutting.cutting import Cut, Maker
from tocsin.ingest.cutting.files import read_opened
from tocsin.ingest.pull.pull import Portion, Pulled, PullError, PullMeans
from tocsin.ingest.pull.pull_messages import cut_messages
from tocsin.ingest.pull.pull_settings import HttpPollSettings
from tocsin.ingest.records.json_pointer import MISSING, find

_LONGEST_RETRY_S = 3600.0
_TOO_OFTEN = (429, 503)


def open_pull(settings: HttpPollSettings, means: PullMeans) -> Pulled:
    """Nothing is asked yet: an API may count every request."""
    return Pages(settings, means)


@dataclass(frozen=True, slots=True)
class _Position:
    """Where to go on; ``taken`` records at the head of that page (of ``digest``) are on disk.

    An API that gives no cursor behind its last page is asked for that page again: what it had
    before is left out.
    """

    cursor: str = ""
    link: str = ""
    taken: int = 0
    digest: str = ""


class Pages:
    """Pages one after another while there are more, then the interval's rest."""

    def __init__(self, settings: HttpPollSettings, means: PullMeans) -> None:
        self._settings = settings
        self._source = means.source
        self._kept = means.kept
        position = means.kept.load()
        if position.get("url") != settings.url:
            position = {}
        self._at = _Position(
            str(position.get("cursor", settings.start_cursor)),
            str(position.get("link", "")),
            int(position.get("taken", 0)),
            str(position.get("digest", "")),
        )
        self._next_at = 0.0
        verify: ssl.SSLContext | bool = True
        if settings.tls_ca is not None:
            try:
                verify = ssl.create_default_context(cafile=settings.tls_ca)
            except (OSError, ssl.SSLError) as error:
                raise PullError(
                    f"{settings.tls_ca}: no certificates can be read: {error}"
                ) from error
        headers = {
            "Accept": "application/json, application/x-ndjson, text/plain;q=0.5",
            "Accept-Encoding": "gzip, zstd",
        }
        if settings.auth_file is not None or settings.auth_env:
            headers[settings.auth_header] = means.secrets("auth")
        self._client = httpx2.Client(headers=headers, timeout=settings.timeout_s, verify=verify)

    @property
    def idle_s(self) -> float:
        return max(0.0, self._next_at - time.monotonic())

    def next(self) -> Portion | None:
        if self.idle_s:
            return None
        at = self._at
        address = at.link or self._settings.url.replace("{cursor}", quote(at.cursor, safe=""))
        body, link = self._ask(address)
        cuts, after = self._read(address, body, link)
        if (after.cursor, after.link) == (at.cursor, at.link):
            self._next_at = time.monotonic() + self._settings.interval_s
        if after == at:
            return None
        shown = f"cursor {after.cursor}" if after.cursor else address.partition("?")[0]
        return Portion(cuts, shown, after)

    def hold(self, portion: Portion) -> None:
        """Nobody else takes it."""

    def confirm(self, portion: Portion) -> None:
        self._at = portion.token
        self._kept.store({"url": self._settings.url, **asdict(self._at)})

    def lag(self) -> int | None:
        """No API says."""

    def close(self) -> None:
        self._client.close()

    def _ask(self, address: str) -> tuple[bytes, str]:
        """The body of the answer, and the address of the next page as its headers have it."""
        shown = address.partition("?")[0]
        limit = self._settings.answer_limit_bytes
        try:
            with self._client.stream("GET", address) as answer:
                if answer.status_code != 200:
                    raise _refused(answer, shown)
                pieces, size = [], 0
                for piece in answer.iter_raw():
                    size += len(piece)
                    if size > limit:
                        raise _too_much(shown, limit)
                    pieces.append(piece)
                link = str(answer.links.get("next", {}).get("url", ""))
                encoding = answer.headers.get("content-encoding", "")
            body = unpacked(b"".join(pieces), encoding, limit)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise PullError(f"{shown}: {str(error) or type(error).__name__}") from error
        except UnpackedTooLarge:
            raise _too_much(shown, limit) from None
        except UnpackFault as error:
            raise PullError(f"{shown}: the answer can't be read: {error}") from error
        return body, self._followed(address, link)

    def _followed(self, address: str, link: str) -> str:
        """The next address; another host would get to see our secret, so it is refused."""
        if not link or not self._settings.follow_link:
            return ""
        try:
            following = urljoin(address, link)
            here, there = urlsplit(address), urlsplit(following)
        except ValueError as error:
            raise PullError(
                f"{address.partition('?')[0]} links on to {link!r}, which is no address: {error}"
            ) from error
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise PullError(
                f"{address.partition('?')[0]} links on to {there.scheme}://{there.netloc}, which "
                "is not where url points; nothing is sent there"
            )
        return following

    def _read(self, address: str, body: bytes, link: str) -> tuple[Iterable[Cut], _Position]:
        settings, at = self._settings, self._at
        place = f"http {address.partition('?')[0]}"
        maker = Maker(self._source, place, datetime.now(UTC), connector=settings.connector)
        moved = replace(at, link=link or at.link)
        if not any(
            (settings.records, settings.cursor, settings.record_cursor, settings.follow_link)
        ):
            digest = _digest([body])
            if digest == at.digest:
                return (), at
            return read_opened(BytesIO(body), maker), replace(moved, digest=digest)
        document, records = self._records(place, body)
        if settings.cursor:
            moved = replace(moved, cursor=_text(find(document, settings.cursor)) or at.cursor)
        elif settings.record_cursor and records:
            moved = replace(moved, cursor=_text(find(records[-1], settings.record_cursor)))
            if not moved.cursor:
                raise PullError(
                    f"{place}: the last record has no {settings.record_cursor}; correct record_cursor"
                )
        lines = [_line(record) for record in records]
        known = at.taken if _digest(lines[: at.taken]) == at.digest else 0
        if (moved.cursor, moved.link) == (at.cursor, at.link):
            moved = replace(moved, taken=len(lines), digest=_digest(lines)) if lines else at
        else:
            moved = replace(moved, taken=0, digest="")
        return cut_messages(((line, place) for line in lines[known:]), maker), moved

    def _records(self, place: str, body: bytes) -> tuple[Any, list[Any]]:
        settings = self._settings
        try:
            if settings.records or settings.cursor:
                document = json.loads(body)
                found = find(document, settings.records)
            else:
                document, found = None, _lines_or_array(body)
        except (ValueError, RecursionError) as error:
            raise PullError(f"{place} did not answer JSON: {error}") from error
        if found is MISSING or found is None:
            if document is not None and settings.records:
                raise PullError(f"{place}: the answer has no {settings.records}; correct records")
            found = []
        if isinstance(found, dict):
            found = [found]
        if not isinstance(found, list):
            raise PullError(f"{place}: {settings.records or 'the answer'} is no list of records")
        return document, found


def _too_much(shown: str, limit_bytes: int) -> PullError:
    return PullError(
        f"{shown} answered more than {limit_bytes:,} bytes; ask for smaller pages, "
        "or raise answer_limit_bytes"
    )


def _digest(lines: list[bytes]) -> str:
    return hashlib.sha256(b"\n".join(lines)).hexdigest() if lines else ""


def _lines_or_array(body: bytes) -> list[Any]:
    if body.lstrip()[:1] == b"[":
        found: list[Any] = json.loads(body)
        return found
    return [json.loads(line) for line in body.splitlines() if line.strip()]


def _line(record: Any) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def _text(value: Any) -> str:
    if value is MISSING or value is None or isinstance(value, (dict, list)):
        return ""
    text = str(value)
    if any("\ud800" <= one <= "\udfff" for one in text):
        raise PullError(f"the cursor {text!r} is half a character and can't be sent back")
    return text


def _refused(answer: httpx2.Response, shown: str) -> PullError:
    status = answer.status_code
    wait_s = _retry_after_s(answer.headers.get("retry-after", "")) if status in _TOO_OFTEN else 0.0
    what = {
        401: "the secret in auth_file or auth_env is not accepted",
        403: "the secret is known, and may not read this",
        404: "there is nothing; correct url",
        429: "it is asked too often",
    }.get(status, answer.reason_phrase)
    told = f"{shown} answered {status}: {what}"
    return PullError(f"{told}; asked to wait {wait_s:g} s" if wait_s else told, wait_s)


def _retry_after_s(told: str) -> float:
    """Seconds, or until a date (RFC 9110, section 10.2.3); an hour at most."""
    if told.strip().isdigit():
        return min(float(told), _LONGEST_RETRY_S)
    try:
        until = parsedate_to_datetime(told)
    except (TypeError, ValueError):
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max(0.0, (until - datetime.now(UTC)).total_seconds()), _LONGEST_RETRY_S)
