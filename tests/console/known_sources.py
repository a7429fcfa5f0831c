"""A source that has been known for two weeks and sends what no mapping knows."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np

from tocsin.app.wiring import Tocsin
from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.sources.source_turn import SourceTurn
from tocsin.ingest.sources.week_learning import learn_weeks

DOOR = "hec/door-control"
BADGES = 40


def live_two_weeks(house: Tocsin) -> None:
    """Doors open all day, and seldom at night; today's records are stored, of unknown format."""
    now = datetime.now(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    for days in range(14, 0, -1):
        _day(house, hour - timedelta(days=days))
    records = [_badge(now - timedelta(seconds=80 * number), number) for number in range(BADGES)]
    body = "\n".join(json.dumps(one) for one in reversed(records)).encode()
    house.spool.append(split_lines(body, DOOR, now))
    house.flow.drain()
    with house.state.begin() as tx:
        learn_weeks(tx, house.sources.sources(tx, now), now)


def _day(house: Tocsin, start: datetime) -> None:
    hours = [start + timedelta(hours=number) for number in range(24)]
    times = [
        int((one + timedelta(seconds=3600 * number / count)).timestamp() * 1e6)
        for one in hours
        for count in [90 if 6 <= one.hour < 20 else 20]
        for number in range(count)
    ]
    with house.state.begin() as tx:
        turn = SourceTurn(
            source=DOOR,
            received=len(times),
            stored=len(times),
            quarantined=0,
            unrecognized=0,
            received_bytes=200 * len(times),
            first_time=hours[0],
            last_time=hours[-1],
            lanes=["unknown.record"],
            times_us=np.array(times, np.int64),
        )
        house.sources.add(tx, [turn], start + timedelta(days=1))


def _badge(moment: datetime, number: int) -> dict[str, object]:
    return {
        "@timestamp": moment.isoformat(),
        "badge": f"B-{4000 + number % 17}",
        "door": ["north", "south", "archive"][number % 3],
        "person": f"person{number % 17}@corp.example",
        "granted": number % 11 != 0,
    }
