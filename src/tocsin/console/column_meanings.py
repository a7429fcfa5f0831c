"""What the columns of the view ``events`` mean, for the schema beside the SQL editor."""

from dataclasses import dataclass

from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS

_ENVELOPE = {
    "event_id": "Identifier of the event (UUIDv7)",
    "time": "When it happened, UTC",
    "ingested_at": "When it was taken in, UTC",
    "tenant": "Whose it is",
    "source": "Who sent it",
    "lane": "Connector and shape",
}
_WHOLE = (
    ("ocsf", "VARIANT", "OCSF fields beyond these columns: ocsf.unmapped.x"),
    ("native", "VARIANT", "The source's own fields: native.EventID"),
    ("raw", "BLOB", "The record as it came, where it was kept"),
)
_OBJECTS = {
    "actor.user": "who acted",
    "actor.process": "the process that acted",
    "actor.session": "the actor's session",
    "user": "the user it was done to",
    "device.os": "the host's system",
    "device": "the host",
    "process.parent_process": "the parent process",
    "process.user": "the process's user",
    "process.file": "the program's file",
    "process": "the process",
    "src_endpoint": "where it came from",
    "dst_endpoint": "where it went",
    "connection_info": "the connection",
    "traffic": "the traffic",
    "query": "the DNS question",
    "http_request.url": "the URL asked for",
    "http_request": "the HTTP request",
    "http_response": "the HTTP answer",
    "metadata.product": "the product that wrote it",
    "metadata": "the record",
    "finding_info.analytic": "the rule that found it",
    "finding_info": "the finding",
    "cloud.account": "the cloud account",
    "cloud": "the cloud",
    "api.response": "the API's answer",
    "api.service": "the API's service",
    "api": "the API call",
    "file": "the file",
    "reg_key": "the registry key",
    "reg_value": "the registry value",
    "script.script_content": "the script",
    "group": "the group",
    "tls": "the TLS session",
}
_PARTS = {
    "name": "Name",
    "uid": "Identifier",
    "ip": "Address",
    "port": "Port",
    "hostname": "Host name",
    "domain": "Domain",
    "pid": "Process id",
    "cmd_line": "Command line",
    "path": "Path",
    "email_addr": "Mail address",
    "type": "Type",
    "code": "Code",
    "error": "Error",
    "title": "Title",
    "data": "Content",
    "value": "Text",
    "country": "Country",
}
_SAID = {
    "class_uid": "OCSF class: 1007 process, 3002 authentication, 4001 network …",
    "category_uid": "OCSF category: 1 system, 3 identity, 4 network, 6 application",
    "activity_id": "What was done, by class: 1 is mostly create, open or logon",
    "type_uid": "Class and activity in one number",
    "severity_id": "1 informational to 5 critical, 6 fatal",
    "status_id": "1 success, 2 failure",
    "status": "Outcome in words",
    "status_detail": "Why it ended so",
    "message": "The event in a sentence",
    "rcode": "Answer code of DNS",
    "logon_type_id": "Windows logon type: 2 at the console, 3 network, 10 remote desktop",
    "is_remote": "Whether the logon came over the network",
    "traffic.bytes": "Bytes both ways",
    "traffic.bytes_in": "Bytes received",
    "traffic.bytes_out": "Bytes sent",
    "http_request.http_method": "GET, POST …",
    "http_request.user_agent": "What the client calls itself",
    "api.operation": "Operation called",
    "tls.sni": "Server name asked for in TLS",
}


@dataclass(frozen=True, slots=True)
class ColumnMeaning:
    """A column of the view: ``name`` as SQL takes it, ``path`` as the filter bar does."""

    name: str
    type: str
    meaning: str
    path: str = ""


def columns() -> list[ColumnMeaning]:
    """Envelope, OCSF columns, then what holds the rest."""
    return [
        *(ColumnMeaning(name, kind, _ENVELOPE[name]) for name, kind in ENVELOPE.items()),
        *(ColumnMeaning(one.name, one.type, meaning(one.path), one.path) for one in HOT_COLUMNS),
        *(ColumnMeaning(*one) for one in _WHOLE),
    ]


def meaning(path: str) -> str:
    """An OCSF path in words: ``Command line of the process``."""
    if path in _SAID:
        return _SAID[path]
    above, _, last = path.rpartition(".")
    part = _PARTS.get(last, last.replace("_", " ").capitalize())
    inner = above
    while inner and inner not in _OBJECTS:
        inner = inner.rpartition(".")[0]
    return f"{part} of {_OBJECTS[inner]}" if inner else part
