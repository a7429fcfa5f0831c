"""The benchmark's events as a sender sends them: to measure decoding on the same events."""

import orjson

from tocsin.model.event import EventBatch

_SYSMON = {
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "Provider_Name": "Microsoft-Windows-Sysmon",
}


def records_as_sent(batch: EventBatch) -> bytes:
    """One line a record: JSON, or the text itself where an event is nothing but a text."""
    rows = batch.native.to_pylist()
    if batch.native.schema.names == ["message"]:
        return "".join(f"{row['message']}\n" for row in rows).encode()
    moments = batch.times.to_pylist()
    windows = batch.lane.product == "windows"
    lines = []
    for row, moment in zip(rows, moments, strict=True):
        time = moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        more = {**_SYSMON, "UtcTime": time} if windows else {"eventTime": f"{moment:%FT%TZ}"}
        lines.append(orjson.dumps({**more, **row}))
    return b"\n".join(lines) + b"\n"
