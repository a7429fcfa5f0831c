"""One Linux audit record into fields, named as auditd names them."""

import re
from typing import Any

from tocsin.ingest.records.audit_address import read_address

_RECORD = re.compile(
    r"(?:node=(?P<node>\S+) )?(?:audit: )?type=(?P<type>[A-Z0-9_\[\]]{1,40}) (?:msg=)?"
    r"audit\((?P<seconds>\d{1,12})(?:\.(?P<fraction>\d{1,9}))?:(?P<serial>\d{1,20})\):? ?"
)
_PAIR = re.compile(
    r"""([A-Za-z0-9_:.\-]{1,64}(?:\[\d{1,6}\])?)=("[^"]*"|'.*'|\{[^}]*\}|[^\s\x1d]*)""", re.DOTALL
)
_HEX = re.compile(r"(?:[0-9A-F]{2})+")
_PIECE = re.compile(r"(a\d{1,6})\[(\d{1,6})\]")
# Fields whose value an unprivileged process chooses: the kernel writes them as hexadecimal when
# they hold a blank, a quote or a control character (audit_log_untrustedstring).
_UNTRUSTED = frozenset(
    {
        *("acct", "cgroup", "cmd", "comm", "cwd", "data", "device", "dir", "exe", "file", "grp"),
        *("invalid_context", "key", "name", "new-chardev", "new-disk", "new-fs", "new-net"),
        *("new-rng", "new_group", "ocomm", "old-chardev", "old-disk", "old-fs", "old-net"),
        *("old-rng", "path", "proctitle", "root_dir", "subj", "sw", "tcontext", "text", "vm"),
        "watch",
    }
)
_SELINUX = re.compile(r"avc: +(granted|denied) +\{ ([^}]*) \} for ")
_NUMBERED = {
    "1300": "SYSCALL", "1302": "PATH", "1305": "CONFIG_CHANGE", "1306": "SOCKADDR",
    "1307": "CWD", "1309": "EXECVE", "1320": "EOE", "1325": "NETFILTER_CFG", "1326": "SECCOMP",
    "1327": "PROCTITLE", "1330": "KERN_MODULE", "1334": "BPF", "1400": "AVC",
    "1403": "MAC_POLICY_LOAD", "1404": "MAC_STATUS", "1130": "SERVICE_START",
    "1131": "SERVICE_STOP", "1100": "USER_AUTH", "1101": "USER_ACCT", "1103": "CRED_ACQ",
    "1104": "CRED_DISP", "1105": "USER_START", "1106": "USER_END", "1112": "USER_LOGIN",
    "1123": "USER_CMD", "1006": "LOGIN", "1700": "ANOM_PROMISCUOUS", "1701": "ANOM_ABEND",
}  # fmt: skip


def read_audit(text: str) -> tuple[dict[str, Any], bool] | None:
    """The fields of an audit record and whether its bytes must be kept; None when it is none.

    All values are text as auditd writes them, unquoted and out of hexadecimal (the arguments in
    ``proctitle`` stand apart by one blank); the pairs within ``msg='…'`` stand beside the others.
    ``audit_time`` (seconds, float) and ``audit_serial`` (int) tell the event. The bytes must be
    kept when a field repeats: the first one counts.
    """
    head = _RECORD.match(text)
    if head is None:
        return None
    kind = head["type"]
    fields: dict[str, Any] = {"type": name_of_type(kind)}
    if head["node"]:
        fields["node"] = head["node"]
    fields["audit_time"] = float(f"{head['seconds']}.{head['fraction'] or 0}")
    fields["audit_serial"] = int(head["serial"])
    rest = text[head.end() :]
    selinux = _SELINUX.search(rest)
    if selinux:
        fields["seresult"], fields["seperms"] = selinux[1], selinux[2]
        rest = rest[: selinux.start()] + rest[selinux.end() :]
    repeats = _put_pairs(rest, fields, is_execve=fields["type"] == "EXECVE")
    _join_pieces(fields)
    if "saddr" in fields and "saddr_fam" not in fields:
        fields |= read_address(fields["saddr"])
    return fields, repeats


def _put_pairs(text: str, fields: dict[str, Any], *, is_execve: bool) -> bool:
    repeats = False
    for name, value in _PAIR.findall(text):
        if value[:1] == "'" and name == "msg":
            repeats = _put_pairs(value[1:-1], fields, is_execve=is_execve) or repeats
        elif name in fields:
            repeats = True
        else:
            fields[name] = _plain(name, value, is_execve=is_execve)
    return repeats


def _plain(name: str, value: str, *, is_execve: bool) -> str:
    if value[:1] in {'"', "'"}:
        return value[1:-1]
    if value[-1:] in {")", ","} and "(" not in value:  # auditd before 2.0: (hostname=?, res=failed)
        value = value.rstrip("),")
    if is_execve and _is_argument(name) and "[" in name:
        return value  # a piece of a long argument: decoded once joined
    if is_untrusted(name, is_execve=is_execve) and len(value) > 1 and _HEX.fullmatch(value):
        return decoded_value(value)
    return value


def name_of_type(kind: str) -> str:
    """A record's type by name where it is given by number."""
    return _NUMBERED.get(kind, kind)


def is_untrusted(name: str, *, is_execve: bool) -> bool:
    """True for fields that are written as hexadecimal at need."""
    return (is_execve and _is_argument(name)) or name in _UNTRUSTED


def _is_argument(name: str) -> bool:
    return name[0] == "a" and name[1:2].isdigit() and "_len" not in name


def decoded_value(value: str) -> str:
    """A value out of hexadecimal."""
    return bytes.fromhex(value).rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")


def _join_pieces(fields: dict[str, Any]) -> None:
    """Put ``a1[0]``, ``a1[1]`` … (arguments over 7,500 bytes) together as ``a1``."""
    pieces: dict[str, list[tuple[int, str]]] = {}
    for name in [name for name in fields if name.endswith("]")]:
        found = _PIECE.fullmatch(name)
        if found:
            pieces.setdefault(found[1], []).append((int(found[2]), fields.pop(name)))
    for name, parts in pieces.items():
        joined = "".join(text for _, text in sorted(parts))
        fields[name] = decoded_value(joined) if _HEX.fullmatch(joined) else joined
