"""What a sender's protocol tells of any record: used where the record itself says nothing."""

from tocsin.normalize.mapping import Expression, TimeField

ENVELOPE_TIMES = (
    TimeField(field="hec.time", format="epoch_s"),
    TimeField(field="elastic.@timestamp", format="iso"),
    TimeField(field="otel.timeUnixNano", format="epoch_ns"),
    TimeField(field="otel.observedTimeUnixNano", format="epoch_ns"),
    TimeField(field="syslog.timestamp", format="syslog"),
    TimeField(field="__REALTIME_TIMESTAMP", format="epoch_us"),
)
"""Asked after a shape's own times."""

_FALLBACKS = {
    "device.hostname": (
        *("hec.host", "elastic.host.hostname", "elastic.host.name", "elastic.host"),
        *("otel.resource.host.name", "syslog.hostname"),
    ),
}


def with_fallbacks(mapped: dict[str, Expression]) -> dict[str, Expression]:
    """The OCSF columns of a shape, the envelope's word behind its own."""
    return mapped | {
        column: Expression(
            first_of=[
                *([mapped[column]] if column in mapped else []),
                *(Expression(field=name) for name in names),
            ]
        )
        for column, names in _FALLBACKS.items()
    }
