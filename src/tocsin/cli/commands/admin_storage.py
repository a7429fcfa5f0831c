"""``tocsin admin storage``: what fills the disk, and when it will be full."""

from datetime import UTC, datetime

from tocsin.app.storage.storage import Storage, storage_now
from tocsin.app.storage.storage_answers import storage_json
from tocsin.app.storage.storage_desk import open_storage
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import out, print_json, print_table

_MOST_SHOWN = 50


def storage(
    home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Sizes by source, the forecast, and what the rules of retention let go next."""
    with open_storage(settings_for(home, config)) as desk:
        one = storage_now(desk.folder, desk.events, desk.retention, datetime.now(UTC))
    if as_json:
        print_json(storage_json(one))
        return
    for line in _lines(one):
        out.print(line, markup=False)
    print_table(
        f"{len(one.sources):,} sources, the largest first",
        ("source", "tenant", "size", "events", "B/event", "a day", "kept", "held", "since"),
        (
            (
                *(source.source, source.tenant, size(source.size_bytes), f"{source.events:,}"),
                *(f"{source.bytes_an_event:.0f}", size(source.bytes_a_day), source.rule),
                size(source.held_bytes) if source.held_bytes else "",
                f"{source.first_received:%Y-%m-%d}",
            )
            for source in one.sources[:_MOST_SHOWN]
        ),
    )
    if len(one.sources) > _MOST_SHOWN:
        out.print(f"and {len(one.sources) - _MOST_SHOWN:,} more; --json lists all", markup=False)


def size(size_bytes: float) -> str:
    """Bytes in the unit people read: ``512 B``, ``3.4 MB``, ``1.2 TB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def _lines(one: Storage) -> list[str]:
    told = one.forecast
    if not told.is_known:
        when = "when the disk will be full is not known yet: less than an hour was measured"
    elif told.full_in_days is None:
        when = f"the disk is not full within two years at {size(told.bytes_a_day)} a day"
    else:
        when = f"the disk is FULL IN {told.full_in_days:.0f} DAYS at {size(told.bytes_a_day)} a day"
    lines = [
        f"{one.events:,} events, {size(one.size_bytes)}, {one.bytes_an_event:.0f} B an event; "
        f"{size(one.free_bytes)} of {size(one.disk_bytes)} are free",
        f"{when}, with what retention frees",
    ]
    if one.retention.stopped_because:
        lines.append(f"RETENTION STOPPED: {one.retention.stopped_because}")
    elif one.due.events:
        lines.append(f"due to go: {one.due.events:,} events, {size(one.due.size_bytes)}")
    return lines
