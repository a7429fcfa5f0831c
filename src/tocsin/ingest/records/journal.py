"""Syslog that was taken apart before it came to us, under the names that our own reader gives."""

from typing import Any

_NAMES = {
    "MESSAGE": "message",
    "SYSLOG_IDENTIFIER": "program",
    "_HOSTNAME": "hostname",
    "_PID": "pid",
    "PRIORITY": "severity",
}
"""journalctl -o json, and what systemd-journal-upload and Vector send: their names and ours."""
_PROGRAMS = ("appname", "app_name", "ident")
"""What Vector's, rsyslog's and Fluent Bit's or Fluentd's readers of syslog call the program."""
_PARTS = {
    **dict.fromkeys(_PROGRAMS, "program"),
    **{"procid": "pid", "host": "hostname", "time": "timestamp"},
}


def is_journal(record: dict[str, Any]) -> bool:
    """True for an entry of the journal (systemd.journal-fields(7))."""
    return "__REALTIME_TIMESTAMP" in record and "MESSAGE" in record


def flatten_journal(record: dict[str, Any]) -> dict[str, Any]:
    """The record with syslog's names, where no such field is there already."""
    return _renamed(record, _NAMES)


def is_parsed_syslog(record: dict[str, Any]) -> bool:
    """True for a message of syslog whose header a shipper has taken apart."""
    if "message" not in record or "program" in record:
        return False
    return any(name in record for name in _PROGRAMS)


def flatten_parsed_syslog(record: dict[str, Any]) -> dict[str, Any]:
    """The record with our names, where no such field is there already."""
    return _renamed(record, _PARTS)


def _renamed(record: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {
        names[name] if name in names and names[name] not in record else name: value
        for name, value in record.items()
    }
