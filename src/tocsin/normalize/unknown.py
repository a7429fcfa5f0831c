"""What becomes of records that no mapping claims: kept, searchable, in a lane of their own."""

from tocsin.normalize.mapping import Expression, Mapping, Shape, TimeField

_TIMES = (
    ("@timestamp", "iso"),
    ("timestamp", "syslog"),
    ("time", "syslog"),
    ("ts", "epoch_s"),
    ("eventTime", "iso"),
    ("event_time", "iso"),
    ("published", "iso"),
    ("created_at", "iso"),
    ("date", "iso"),
    ("_time", "epoch_s"),
)


def unknown_mapping() -> Mapping:
    """A mapping with one shape that takes anything."""
    return Mapping(
        connector="unknown",
        vendor="Unknown",
        product_name="Unknown",
        product="unknown",
        time=[TimeField(field=field, format=style) for field, style in _TIMES],
        shapes=[
            Shape.model_validate(
                {
                    "name": "record",
                    "fallback": True,
                    "class": "base_event",
                    "map": {
                        "message": Expression(first_of=_fields("message", "msg", "Message", "log")),
                        "device.hostname": Expression(
                            first_of=_fields(
                                "hostname", "host.hostname", "host.name", "host", "Computer"
                            )
                        ),
                    },
                }
            )
        ],
    )


def _fields(*names: str) -> list[Expression]:
    return [Expression(field=name) for name in names]
