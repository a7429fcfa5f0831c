"""What names of fields hint at: OCSF attributes, event classes and Sigma's log sources."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ClassHint:
    """An OCSF class and words in names of fields that speak for it, ``least`` of them at once."""

    name: str
    words: tuple[str, ...]
    least: int


_WORDS = (
    ("dns_activity", 2, "qname qtype rcode query dns answer answers rrtype resolver"),
    (
        *("http_activity", 3),
        "url uri method user_agent useragent referer referrer http request status status_code",
    ),
    (
        *("authentication", 2),
        "login logon logout auth authentication session mfa signin user username realm password",
    ),
    ("process_activity", 2, "process pid ppid cmdline command command_line image exe parent"),
    ("email_activity", 2, "subject recipient recipients sender mail smtp"),
    ("file_activity", 2, "file filename path inode sha256 md5 folder"),
    (
        *("network_activity", 3),
        "src dst source destination port proto protocol bytes packets sport dport src_ip dst_ip "
        "srcip dstip",
    ),
)
CLASSES = tuple(ClassHint(name, tuple(words.split()), least) for name, least, words in _WORDS)
"""Tried all; the one with the most words counts, the first of those that are equal."""

LOG_SOURCES: Mapping[str, Mapping[str, list[str]]] = MappingProxyType(
    {
        "dns_activity": {"categories": ["dns"]},
        "http_activity": {"categories": ["webserver"]},
        "authentication": {"services": ["auth"]},
        "process_activity": {"categories": ["process_creation"]},
        "network_activity": {"categories": ["firewall"]},
        "file_activity": {"categories": ["file_event"]},
    }
)
"""What Sigma's rules call such logs."""

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "src_endpoint.ip": "src_ip srcip source_ip client_ip clientip remote_addr remote_ip ip "
        "source_address src_addr saddr client peer_ip",
        "src_endpoint.port": "src_port srcport source_port sport client_port remote_port spt",
        "dst_endpoint.ip": "dst_ip dstip destination_ip dest_ip server_ip target_ip "
        "destination_address dst_addr daddr",
        "dst_endpoint.port": "dst_port dstport destination_port dest_port dport server_port dpt",
        "actor.user.name": "user username user_name account account_name login suser principal",
        "device.hostname": "hostname host computer device_name host_name controller node",
        "message": "message msg text description",
        "status_detail": "reason error error_message",
        "connection_info.protocol_name": "proto protocol ip_protocol transport",
        "http_request.http_method": "method http_method request_method verb",
        "http_request.url.path": "uri path url_path request_uri",
        "http_request.user_agent": "user_agent useragent",
        "http_response.code": "status_code http_status response_code",
        "query.hostname": "qname query_name dns_query",
        "query.type": "qtype query_type",
        "process.pid": "pid process_id",
        "process.cmd_line": "cmdline command_line commandline command",
        "process.name": "process_name process",
    }
)
TARGETS: Mapping[str, str] = MappingProxyType(
    {name: target for target, names in _NAMES.items() for name in names.split()}
)
"""Field name (lower case, parts joined by ``_``) → the attribute it most often means."""
