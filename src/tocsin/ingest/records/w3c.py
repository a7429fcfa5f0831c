"""Logs whose first lines name the fields: W3C extended (IIS and others), AWS flow logs."""

import re
from dataclasses import dataclass, field
from typing import Any

MARKS = (b"#Software:", b"#Version:", b"#Fields:", b"#Date:")
FLOW_MARK = b"version account-id "
_VALUE = re.compile(r'"((?:[^"]|"")*)"|(\S+)')


def is_headed(head: bytes) -> bool:
    """True when an input that begins with ``head`` names its fields on top."""
    return head.startswith((*MARKS, FLOW_MARK))


def is_header(line: bytes) -> bool:
    """True for a line of the header, wherever it stands: servers repeat it when they start."""
    return line.startswith((b"#", FLOW_MARK))


@dataclass(slots=True)
class W3cHeader:
    """What the header says of the records below it (W3C working draft WD-logfile-960323)."""

    names: list[str] = field(default_factory=list)
    date: str = ""

    def take(self, line: str) -> None:
        """Learn from one header line."""
        if line.startswith("#Fields:"):
            self.names = line.removeprefix("#Fields:").split()
        elif line.startswith("#Date:"):
            self.date = line.removeprefix("#Date:").strip().partition(" ")[0]
        elif not line.startswith("#"):
            self.names = line.split()

    def record(self, line: str) -> dict[str, Any]:
        """The record in one line, ``-`` left out; raises ValueError with the reason."""
        if not self.names:
            raise ValueError("record without a #Fields line above it")
        if '"' in line:
            values = [
                found[2] if found[2] is not None else found[1].replace('""', '"')
                for found in _VALUE.finditer(line)
            ]
        else:
            values = line.split()
        if len(values) != len(self.names):
            raise ValueError(f"record has {len(values)} fields, its header {len(self.names)}")
        record = {
            name: value
            for name, value in zip(self.names, values, strict=True)
            if value not in {"-", ""}
        }
        if "time" in record and "date" not in record and self.date:
            record["date"] = self.date
        return record
