"""How much of what other projects expect of a log line is where one would look for it.

``python -m tests.connectors.expected_fields DATA`` writes down what there is now.
"""

import json
import lzma
import re
import sys
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.connectors.found_values import Event, event_of
from tocsin.connectors.catalog import mapping_paths
from tocsin.ingest.decode import decode
from tocsin.model.identifier import event_ids
from tocsin.model.record import Framing, Origin, RawBatch
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.normalizer import Normalizer

UNDERSTOOD = Path(__file__).with_name("understood.json")
"""By set of logs what is expected, what is there, and what is not, by log and field."""
RECEIVED = datetime(2026, 7, 1, tzinfo=UTC)
ORIGIN = Origin("real", RECEIVED, "test", 1)
_NO_EVIDENCE = ("Meta.datasource_", "Meta.log_type", "Meta.service", "Meta.sub_type", "Meta.evt.")
"""What CrowdSec calls things among its own, not what the line says."""
_GRAMMAR = frozenset({"Parsed.syslog_version", "Parsed.tz_part1", "Parsed.tz_part2"})
"""What a header's form has in every line alike."""

_SOURCE = ("src_endpoint.ip", "src_endpoint.hostname", "evidences.src_endpoint.ip")
_USER = ("user.name", "actor.user.name", "user.email_addr", "actor.user.email_addr")
PLACES: dict[str, tuple[str, ...]] = {
    "host": _SOURCE,
    "user": _USER,
    "Meta.source_ip": _SOURCE,
    "Meta.user": _USER,
    "Meta.username": _USER,
    "Meta.target_user": _USER,
    "Meta.machine": ("device.hostname", "device.ip", "device.name", "dst_endpoint.hostname"),
    "Meta.http_path": ("http_request.url.path", "http_request.url.url_string"),
    "Meta.http_status": ("http_response.code",),
    "Meta.http_verb": ("http_request.http_method",),
    "Meta.http_user_agent": ("http_request.user_agent",),
    "Meta.dest_ip": ("dst_endpoint.ip",),
    "Meta.dest_port": ("dst_endpoint.port",),
    "Meta.dst_port": ("dst_endpoint.port",),
}
"""OCSF attributes of which one must hold what an expectation of that name says.

What stands here is what people search by; everything else may be in any field of its own.
"""


@dataclass(slots=True)
class Score:
    """Fields that were expected, and those of them that are there; ``missing`` by log and field."""

    told: int = 0
    right: int = 0
    missing: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, log: str, name: str, value: str, event: Event) -> None:
        """Count one expected field of an event."""
        self.told += 1
        places = PLACES.get(name)
        if event.holds(value, places) or (places is None and event.tells_time(name, value)):
            self.right += 1
        else:
            self.missing[log, name] += 1

    def written(self) -> dict[str, Any]:
        """As it is kept in ``understood.json``."""
        left: dict[str, dict[str, int]] = {}
        for (log, name), count in sorted(self.missing.items()):
            left.setdefault(log, {})[name] = count
        share = round(100 * self.right / self.told, 1)
        return {"expected": self.told, "there": self.right, "percent": share, "left": left}


def events_of(normalizer: Normalizer, payload: bytes) -> list[Event]:
    """What there is of each record's event, in the order of the records."""
    decoded = decode(RawBatch("real", payload, RECEIVED, Framing.LINES))
    found: dict[str, Event] = {}
    for batch in normalizer.normalize(decoded, ORIGIN):
        rows = range(len(batch))
        for identifier, native, ocsf, moment in zip(
            batch.event_ids.to_pylist(),
            batch.native_rows(rows),
            batch.ocsf_rows(rows),
            batch.times.to_pylist(),
            strict=True,
        ):
            found[identifier] = event_of(native, ocsf, moment, payload.decode())
    ids = event_ids(ORIGIN.received_at, ORIGIN.spool, ORIGIN.position, decoded.ordinals)
    return [found[identifier] for identifier in ids]


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
                score.add(expected["record_type"], f"data.{key}", value, event)
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
                    (event,) = events_of(normalizer, line.encode())
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
                    (read[line],) = events_of(normalizer, line.encode())
                for name, value in asked.items():
                    if _is_told(name, value, line):
                        score.add(expected["parser"], name, value, read[line])
    return score


def _is_told(name: str, value: str, line: str) -> bool:
    """Whether the line itself says this: ``program`` is CrowdSec's label of a file elsewhere."""
    if name == "Parsed.program":
        return re.search(rf"(?:^|\s|<|/){re.escape(value)}(?:\[\d+\])?:", line) is not None
    return name not in _GRAMMAR and _stands_in(line, value)


def _stands_in(line: str, value: str) -> bool:
    """Whether the line holds the value as words of its own: not 5 in 15, nor 10.0.0.2 in 10.0.0.25."""
    return (
        value in line and re.search(rf"(?<!\w){re.escape(value)}(?!\w)(?!\.\d)", line) is not None
    )


def _line_of(lines: Iterable[str], values: Iterable[str]) -> str:
    """The line that holds most of the values: the tests don't say which one it was."""
    asked = list(values)
    return max(lines, key=lambda line: sum(_stands_in(line, value) for value in asked), default="")


def _members(path: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name, content.read().decode("utf-8", "replace")


SCORED: dict[str, Callable[[Normalizer, Path], Score]] = {
    "linux-audit": audit_score,
    "fail2ban-auth-logs": failure_score,
    "crowdsec-tests": parser_score,
}


def main() -> None:
    normalizer = Normalizer([load_mapping(path) for path in mapping_paths()])
    found = {name: score(normalizer, Path(sys.argv[1])).written() for name, score in SCORED.items()}
    UNDERSTOOD.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
