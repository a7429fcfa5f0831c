"""The hot columns: OCSF fields that are stored as typed columns of their own, and their aliases."""

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class HotColumn:
    """One typed column. ``type`` is DuckDB's; ``is_text`` ones are looked through for bare words."""

    path: str
    type: str = "VARCHAR"
    aliases: tuple[str, ...] = ()
    is_text: bool = False

    @property
    def name(self) -> str:
        """The column's name in Parquet and SQL: the OCSF path with underscores."""
        return self.path.replace(".", "_")


_INTEGER = "INTEGER"
_BIG = "BIGINT"

HOT_COLUMNS: tuple[HotColumn, ...] = (
    HotColumn("class_uid", _INTEGER, ("class",)),
    HotColumn("category_uid", _INTEGER, ("category",)),
    HotColumn("activity_id", _INTEGER, ("activity",)),
    HotColumn("type_uid", _BIG),
    HotColumn("severity_id", _INTEGER, ("severity",)),
    HotColumn("status_id", _INTEGER),
    HotColumn("status", aliases=("outcome",)),
    HotColumn("status_detail", is_text=True),
    HotColumn("message", is_text=True),
    HotColumn("metadata.product.name", aliases=("product",)),
    HotColumn("metadata.product.vendor_name", aliases=("vendor",)),
    HotColumn("metadata.event_code", aliases=("event_code",)),
    HotColumn("metadata.log_name", aliases=("log",)),
    HotColumn("metadata.uid", aliases=("record_id",)),
    HotColumn("actor.user.name", aliases=("actor",), is_text=True),
    HotColumn("actor.user.uid"),
    HotColumn("actor.user.domain"),
    HotColumn("actor.user.type"),
    HotColumn("actor.session.uid"),
    HotColumn("actor.app_name"),
    HotColumn("actor.process.name"),
    HotColumn("actor.process.pid", _BIG),
    HotColumn("actor.process.cmd_line", is_text=True),
    HotColumn("actor.process.file.path"),
    HotColumn("user.name", aliases=("user",), is_text=True),
    HotColumn("user.uid", aliases=("user_id",)),
    HotColumn("user.domain", aliases=("domain",)),
    HotColumn("user.email_addr", aliases=("email",)),
    HotColumn("user.type"),
    HotColumn("group.name", aliases=("group",)),
    HotColumn("device.hostname", aliases=("host",), is_text=True),
    HotColumn("device.name"),
    HotColumn("device.ip", aliases=("host_ip",)),
    HotColumn("device.uid"),
    HotColumn("device.domain"),
    HotColumn("device.os.name", aliases=("os",)),
    HotColumn("process.name", aliases=("process",), is_text=True),
    HotColumn("process.pid", _BIG, ("pid",)),
    HotColumn("process.uid"),
    HotColumn("process.cmd_line", aliases=("cmd",), is_text=True),
    HotColumn("process.file.name"),
    HotColumn("process.file.path", aliases=("image",), is_text=True),
    HotColumn("process.integrity"),
    HotColumn("process.user.name"),
    HotColumn("process.parent_process.name", aliases=("parent",)),
    HotColumn("process.parent_process.pid", _BIG),
    HotColumn("process.parent_process.cmd_line", aliases=("parent_cmd",), is_text=True),
    HotColumn("process.parent_process.file.path"),
    HotColumn("file.name"),
    HotColumn("file.path", aliases=("file",), is_text=True),
    HotColumn("file.uid"),
    HotColumn("module.file.path"),
    HotColumn("driver.file.path"),
    HotColumn("reg_key.path", aliases=("reg_key",)),
    HotColumn("reg_value.name"),
    HotColumn("reg_value.data"),
    HotColumn("win_service.name"),
    HotColumn("job.name"),
    HotColumn("script.script_content.value", aliases=("script",), is_text=True),
    HotColumn("src_endpoint.ip", aliases=("src_ip",), is_text=True),
    HotColumn("src_endpoint.port", _INTEGER, ("src_port",)),
    HotColumn("src_endpoint.hostname", aliases=("src_host",), is_text=True),
    HotColumn("src_endpoint.location.country", aliases=("src_country",)),
    HotColumn("dst_endpoint.ip", aliases=("dst_ip",), is_text=True),
    HotColumn("dst_endpoint.port", _INTEGER, ("dst_port",)),
    HotColumn("dst_endpoint.hostname", aliases=("dst_host",), is_text=True),
    HotColumn("connection_info.protocol_name", aliases=("protocol",)),
    HotColumn("connection_info.uid"),
    HotColumn("connection_info.direction", aliases=("direction",)),
    HotColumn("traffic.bytes", _BIG, ("bytes",)),
    HotColumn("traffic.bytes_in", _BIG, ("bytes_in",)),
    HotColumn("traffic.bytes_out", _BIG, ("bytes_out",)),
    HotColumn("query.hostname", aliases=("dns",), is_text=True),
    HotColumn("query.type"),
    HotColumn("rcode"),
    HotColumn("http_request.http_method", aliases=("method",)),
    HotColumn("http_request.url.url_string", aliases=("url",), is_text=True),
    HotColumn("http_request.url.hostname", aliases=("url_host",)),
    HotColumn("http_request.url.path", aliases=("url_path",), is_text=True),
    HotColumn("http_request.user_agent", aliases=("user_agent",), is_text=True),
    HotColumn("http_response.code", _INTEGER, ("http_status",)),
    HotColumn("tls.sni", aliases=("sni",)),
    HotColumn("cloud.provider"),
    HotColumn("cloud.account.uid", aliases=("account",)),
    HotColumn("cloud.region", aliases=("region",)),
    HotColumn("api.operation", aliases=("operation",), is_text=True),
    HotColumn("api.service.name", aliases=("service",)),
    HotColumn("api.response.error"),
    HotColumn("api.response.code", _INTEGER),
    HotColumn("auth_protocol"),
    HotColumn("logon_type"),
    HotColumn("logon_type_id", _INTEGER),
    HotColumn("is_remote", "BOOLEAN"),
    HotColumn("service.name"),
    HotColumn("session.uid", aliases=("session",)),
    HotColumn("finding_info.uid", aliases=("finding",)),
    HotColumn("finding_info.title", is_text=True),
    HotColumn("finding_info.analytic.uid", aliases=("rule_id",)),
    HotColumn("finding_info.analytic.name", aliases=("rule",), is_text=True),
)

ENVELOPE: dict[str, str] = {
    "event_id": "VARCHAR",
    "time": "TIMESTAMP",
    "ingested_at": "TIMESTAMP",
    "tenant": "VARCHAR",
    "source": "VARCHAR",
    "lane": "VARCHAR",
}
"""The columns every event has, before the hot ones; times are UTC."""


@cache
def hot_column_by_name() -> dict[str, HotColumn]:
    """Hot columns by OCSF path and by alias."""
    found = {column.path: column for column in HOT_COLUMNS}
    for column in HOT_COLUMNS:
        for alias in column.aliases:
            found.setdefault(alias, column)
    return found
