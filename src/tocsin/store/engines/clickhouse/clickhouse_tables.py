"""How events lie in ClickHouse: columns, codecs, order, indexes."""

from sqlglot import exp

from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS

EVENTS = "event_rows"
NUMBER = "number"
"""The number of the write a row came with; rows of numbers that were published count."""
COLUMNS = (
    *(NUMBER, *ENVELOPE, "raw", *(column.name for column in HOT_COLUMNS)),
    *("ocsf_flat", "ocsf_text", "native_flat", "native_text"),
)
PLAIN_KINDS = {
    "VARCHAR": "Nullable(String)",
    "INTEGER": "Nullable(Int32)",
    "BIGINT": "Nullable(Int64)",
    "BOOLEAN": "Nullable(Bool)",
}
HOUR_US, _WEEK_US = 3_600_000_000, 604_800_000_000
_FEW_VALUES = frozenset({"tenant", "source", "lane"})
_LOOKED_UP = (
    *("actor_user_name", "user_name", "device_hostname", "device_ip", "src_endpoint_ip"),
    *("dst_endpoint_ip", "process_name", "query_hostname", "http_request_url_hostname"),
    *("file_name", "cloud_account_uid", "finding_info_analytic_uid"),
)
_SETTINGS = {
    "index_granularity": 8192,
    "non_replicated_deduplication_window": 1000,  # a write that is sent again counts once
}
_DURABLE = {"fsync_after_insert": 1, "fsync_part_directory": 1}
"""A write is acknowledged only when it is on the disk."""


def create_table(database: str, *, is_durable: bool) -> str:
    """The statement that makes the table of events, unless it is there."""
    columns = [*_columns(), *_indexes()]
    chosen = {**_SETTINGS, **(_DURABLE if is_durable else {})}
    settings = ", ".join(f"{name} = {value}" for name, value in chosen.items())
    return (
        f"CREATE TABLE IF NOT EXISTS {quoted(database)}.{EVENTS} ({', '.join(columns)}) "
        "ENGINE = MergeTree "
        # Weeks of intake: our own clock's, so no sender can make partitions.
        f"PARTITION BY intDiv(ingested_at, {_WEEK_US}) "
        f"ORDER BY (intDiv(time, {HOUR_US}), lane, source, time) "
        "TTL toDateTime(fromUnixTimestamp64Micro(ingested_at)) + INTERVAL 7 DAY "
        f"RECOMPRESS CODEC(ZSTD(9)) SETTINGS {settings}"
    )


def quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql("clickhouse")


def _columns() -> list[str]:
    columns = [f"{NUMBER} UInt64 CODEC(Delta, ZSTD(1))"]
    for name, kind in ENVELOPE.items():
        if kind == "TIMESTAMP":  # microseconds since 1970: DateTime64 ends in 2299
            columns.append(f"{name} Int64 CODEC(DoubleDelta, ZSTD(1))")
        else:
            text = "LowCardinality(String)" if name in _FEW_VALUES else "String"
            columns.append(f"{name} {text} CODEC(ZSTD(1))")
    columns.append("raw Nullable(String) CODEC(ZSTD(3))")
    columns += [
        f"{column.name} {PLAIN_KINDS[column.type]} CODEC(ZSTD(1))" for column in HOT_COLUMNS
    ]
    for space in ("ocsf", "native"):
        columns.append(f"{space}_flat JSON(max_dynamic_paths=2048) CODEC(ZSTD(1))")
        columns.append(f"{space}_text String CODEC(ZSTD(3))")
    return columns


def _indexes() -> list[str]:
    """Indexes are on the very expressions that filters are compiled to."""
    return [
        f"INDEX of_{NUMBER} {NUMBER} TYPE minmax",
        "INDEX of_time time TYPE minmax",
        "INDEX of_event_id event_id TYPE bloom_filter(0.001)",
        "INDEX of_class class_uid TYPE set(64)",
        "INDEX of_severity severity_id TYPE set(16)",
        *(f"INDEX of_{name} lowerUTF8({name}) TYPE bloom_filter(0.01)" for name in _LOOKED_UP),
    ]
