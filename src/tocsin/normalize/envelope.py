"""What a sender's protocol tells of any record: used where the record itself says nothing."""

from tocsin.normalize.mapping import Expression, Scalar, Shape, TimeField

ENVELOPE_TIMES = (
    TimeField(field="hec.time", format="epoch_s"),
    TimeField(field="elastic.@timestamp", format="iso"),
    TimeField(field="shipper.@timestamp", format="iso"),
    TimeField(field="shipper.timestamp", format="iso"),
    TimeField(field="shipper.timestamp", format="epoch"),
    TimeField(field="shipper.time", format="iso"),
    TimeField(field="shipper.time", format="epoch"),
    TimeField(field="shipper.date", format="epoch"),
    TimeField(field="otel.timeUnixNano", format="epoch_ns"),
    TimeField(field="otel.observedTimeUnixNano", format="epoch_ns"),
    TimeField(field="syslog.timestamp", format="syslog"),
    TimeField(field="__REALTIME_TIMESTAMP", format="epoch_us"),
)
"""Asked after a shape's own times."""

_FALLBACKS = {
    "device.hostname": (
        *("hec.host", "elastic.host.hostname", "elastic.host.name", "elastic.host"),
        *("shipper.host.hostname", "shipper.host.name", "shipper.host", "shipper.hostname"),
        *("shipper.kubernetes.host", "otel.resource.host.name", "syslog.hostname"),
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


_OTEL_SEVERITY: dict[str, Scalar] = {
    **{str(number): 1 for number in range(1, 13)},  # TRACE, DEBUG, INFO
    **{str(number): 2 for number in range(13, 17)},  # WARN
    **{"17": 3, "18": 4, "19": 4, "20": 4},  # ERROR; from ERROR2 on what syslog calls critical
    **{str(number): 5 for number in range(21, 25)},  # FATAL
}
"""SeverityNumber of OpenTelemetry's to severity_id (logs data model, "Mapping of SeverityNumber")."""


def severity_of(shape: Shape) -> Expression:
    """The severity of a shape's records; the envelope's where the record has none."""
    own = shape.severity
    told = Expression(field="otel.severityNumber", lookup=_OTEL_SEVERITY)
    if "severity" not in shape.model_fields_set:
        return Expression(first_of=[told], default=1)
    if own.const is not None:
        return own
    return Expression(
        first_of=[own.model_copy(update={"default": None}), told], default=own.default
    )
