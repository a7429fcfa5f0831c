"""Records of systemd's journal under the names that syslog messages have."""

from typing import Any

_NAMES = {
    "MESSAGE": "message",
    "SYSLOG_IDENTIFIER": "program",
    "_HOSTNAME": "hostname",
    "_PID": "pid",
    "PRIORITY": "severity",
}
"""journalctl -o json, and what systemd-journal-upload and Vector send: their names and ours."""


def is_journal(record: dict[str, Any]) -> bool:
    """True for an entry of the journal (systemd.journal-fields(7))."""
    return "__REALTIME_TIMESTAMP" in record and "MESSAGE" in record


def flatten_journal(record: dict[str, Any]) -> dict[str, Any]:
    """The record with syslog's names, where no such field is there already."""
    return {
        _NAMES[name] if name in _NAMES and _NAMES[name] not in record else name: value
        for name, value in record.items()
    }
