"""How events lie in ClickHouse: columns, codecs, order, indexes."""

from collections.abc import Collection, Mapping

from sqlglot import exp

from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS

EVENTS = "event_rows"
NUMBER = "number"
"""The number of the write a row came with; rows of numbers that were published count."""
COLUMNS = (
    *(NUMBER, *ENVELOPE, "raw", *(column.name for column in HOT_COLUMNS)),
    *("ocsf_leaves", "ocsf_lists", "ocsf_text", "native_leaves", "native_lists", "native_text"),
)
PLAIN_KINDS = {
    "VARCHAR": "Nullable(String)",
    "INTEGER": "Nullable(Int32)",
    "BIGINT": "Nullable(Int64)",
    "BOOLEAN": "Nullable(Bool)",
}
_MAPS = {
    "leaves": "Map(String, Nullable(String))",
    "lists": "Map(String, Array(Nullable(String)))",
}
"""The fields of a space that have no column: single values, and members of lists, by key."""
_BUCKETS = {
    "map_serialization_version": "with_buckets",
    "map_buckets_strategy": "sqrt",
    "map_buckets_min_avg_size": 4,
    "map_buckets_coefficient": 6,
    "max_buckets_in_map": 48,
}
"""A map lies in parts by key, of which a filter reads one; as of ClickHouse's first merge."""
BUCKETED = tuple(_BUCKETS)
HOUR_US, _WEEK_US = 3_600_000_000, 604_800_000_000
_SPACES = ("ocsf", "native")
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


def create_table(database: str, known: Collection[str], *, is_durable: bool) -> str:
    """The statement that makes the table of events, unless it is there.

    ``known`` are those of ``BUCKETED`` that the server has: without them filters read whole maps.
    """
    columns = [*_columns(), *_indexes()]
    chosen = {**_SETTINGS, **_known(known), **(_DURABLE if is_durable else {})}
    return (
        f"CREATE TABLE IF NOT EXISTS {quoted(database)}.{EVENTS} ({', '.join(columns)}) "
        "ENGINE = MergeTree "
        # Weeks of intake: our own clock's, so no sender can make partitions.
        f"PARTITION BY intDiv(ingested_at, {_WEEK_US}) "
        f"ORDER BY (intDiv(time, {HOUR_US}), lane, source, time) "
        "TTL toDateTime(fromUnixTimestamp64Micro(ingested_at)) + INTERVAL 7 DAY "
        f"RECOMPRESS CODEC(ZSTD(9)) SETTINGS {_told(chosen)}"
    )


def add_maps(database: str, known: Collection[str]) -> str:
    """What gives a table that has columns of JSON its maps; its rows get theirs from these."""
    added = []
    for space in _SPACES:
        pairs = f"JSONExtractKeysAndValuesRaw(toJSONString({space}_flat))"
        for part, kind in _MAPS.items():
            is_list, value = "position(p.1, '[]') > 0", "Nullable(String)"
            chosen = is_list if part == "lists" else f"NOT {is_list}"
            value = f"Array({value})" if part == "lists" else value
            texts = f"(p.1, JSONExtract(p.2, '{value}'))"
            mapped = f"arrayMap(p -> {texts}, arrayFilter(p -> {chosen}, {pairs}))"
            added.append(
                f"ADD COLUMN IF NOT EXISTS {space}_{part} {kind} "
                f"DEFAULT CAST({mapped}, '{kind}') CODEC(ZSTD(1))"
            )
    if settings := _known(known):
        added.append(f"MODIFY SETTING {_told(settings)}")
    return f"ALTER TABLE {quoted(database)}.{EVENTS} {', '.join(added)}"


def _known(names: Collection[str]) -> dict[str, object]:
    return _BUCKETS if set(BUCKETED) <= set(names) else {}


def _told(settings: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name} = '{value}'" if isinstance(value, str) else f"{name} = {value}"
        for name, value in settings.items()
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
    for space in _SPACES:
        columns += [f"{space}_{part} {kind} CODEC(ZSTD(1))" for part, kind in _MAPS.items()]
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
