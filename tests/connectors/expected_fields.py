"""How much of what other projects expect of a log line is among what we make of it."""

import json
import lzma
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tocsin.ingest.decode import decode
from tocsin.model.identifier import event_ids
from tocsin.model.record import Framing, Origin, RawBatch
from tocsin.normalize.normalizer import Normalizer

UNDERSTOOD = {"linux-audit": 97.8, "fail2ban-auth-logs": 46.3, "crowdsec-tests": 37.4}
"""By set of logs the share of expected fields that are there, in percent; tests hold it."""

RECEIVED = datetime(2026, 7, 1, tzinfo=UTC)
ORIGIN = Origin("real", RECEIVED, "test", 1)
_NO_EVIDENCE = ("Meta.datasource_", "Meta.log_type", "Meta.service", "Meta.sub_type", "Meta.evt.")
"""What CrowdSec calls things among its own, not what the line says."""
Event = frozenset[str]
"""All values of an event, native and OCSF, as text in lower case."""


@dataclass(slots=True)
class Score:
    """Fields that were expected, and those of them that are there; ``missing`` by log and field."""

    told: int = 0
    right: int = 0
    missing: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, log: str, name: str, value: str, event: Event) -> None:
        """Count one expected field of an event."""
        self.told += 1
        if value.lower() in event:
            self.right += 1
        else:
            self.missing[log, name] += 1

    @property
    def share(self) -> float:
        return self.right / self.told


def events_of(normalizer: Normalizer, payload: bytes) -> list[Event]:
    """The values of each record's event, in the order of the records."""
    decoded = decode(RawBatch("real", payload, RECEIVED, Framing.LINES))
    found: dict[str, Event] = {}
    for batch in normalizer.normalize(decoded, ORIGIN):
        rows = range(len(batch))
        for identifier, native, ocsf in zip(
            batch.event_ids.to_pylist(),
            batch.native_rows(rows),
            batch.ocsf_rows(rows),
            strict=True,
        ):
            found[identifier] = frozenset([*_values(native), *_values(ocsf)])
    ids = event_ids(ORIGIN.received_at, ORIGIN.spool, ORIGIN.position, decoded.ordinals)
    return [found[identifier] for identifier in ids]


def _values(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner)
    elif value is not None:
        yield str(value).lower()


def audit_score(normalizer: Normalizer, folder: Path) -> Score:
    """Audit records, as go-libaudit reads them."""
    score = Score()
    for name, text in _members(folder / "linux-audit" / "testdata.tar.xz"):
        if not (name.endswith(".golden") and "/auparse/" in f"/{name}"):
            continue
        for expected in filter(None, json.loads(text)):
            line = f"type={expected['record_type'].upper()} msg={expected['raw_msg']}"
            (event,) = events_of(normalizer, line.encode())
            for key, value in (expected.get("data") or {}).items():
                if value == "unset":  # nobody: told by leaving the field out
                    continue
                score.add(expected["record_type"], key, value, event)
    return score


def failure_score(normalizer: Normalizer, folder: Path) -> Score:
    """Lines that fail2ban's tests call a failure: whence it came, and who it was."""
    score = Score()
    for name, text in _members(folder / "fail2ban-auth-logs" / "logs.tar.xz"):
        expected: dict[str, Any] = {}
        for line in text.splitlines():
            if line.startswith("# failJSON:"):
                expected = json.loads(line.partition("failJSON:")[2])
            elif line.strip() and not line.startswith("#"):
                asked = {key: str(expected.get(key) or "") for key in ("host", "user")}
                told = {key: value for key, value in asked.items() if value and value in line}
                if expected.get("match") and told:
                    event = frozenset().union(*events_of(normalizer, line.encode()))
                    for key, value in told.items():
                        score.add(name.rpartition("/")[2], key, value, event)
                expected = {}
    return score


def parser_score(normalizer: Normalizer, folder: Path) -> Score:
    """Fields that CrowdSec's parsers find, where the line itself holds their value."""
    score = Score()
    files = dict(_members(folder / "crowdsec-tests" / "tests.tar.xz"))
    with lzma.open(folder / "crowdsec-tests" / "expected.jsonl.xz", "rt") as tests:
        for test in map(json.loads, tests):
            if not test["expected_parsed"]:
                continue
            ends = f"/{test['test']}/{test['log_file']}"
            text = next((text for name, text in files.items() if f"/{name}".endswith(ends)), "")
            lines = [line for line in text.splitlines() if line.strip()]
            read: dict[str, Event] = {}
            for expected in test["expected_parsed"]:
                asked = {
                    name: value
                    for name, value in expected["fields"].items()
                    if value and value != "-" and not name.startswith(_NO_EVIDENCE)
                }
                line = _line_of(lines, asked.values())
                if line not in read:
                    read[line] = frozenset().union(*events_of(normalizer, line.encode()))
                for name, value in asked.items():
                    if value in line:
                        score.add(expected["parser"], name, value, read[line])
    return score


def _line_of(lines: Iterable[str], values: Iterable[str]) -> str:
    """The line that holds most of the values: the tests don't say which one it was."""
    asked = list(values)
    return max(lines, key=lambda line: sum(value in line for value in asked), default="")


def _members(path: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name, content.read().decode("utf-8", "replace")
