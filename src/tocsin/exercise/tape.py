"""The tape: collects what every sender of the company says and cuts it into sendings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from tocsin.exercise.clock import moment
from tocsin.exercise.sending import Channel, Sending

_WINDOW_S = 1800


# A datagram burst small enough for any socket buffer; the others are bounded for memory only.
_MOST_RECORDS = {Channel.SYSLOG_UDP: 25, Channel.SYSLOG_TCP: 400, Channel.HTTP: 500}


def as_lines(lines: list[bytes]) -> bytes:
    """Records one a line."""
    return b"\n".join(lines)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, by which door; ``join`` makes a payload of records, ``ending`` ends file names."""

    channel: Channel
    source: str
    join: Callable[[list[bytes]], bytes] = as_lines
    ending: str = ""


class Tape:
    """Everything said in the day, in any order; ``cut`` puts it into the order of time."""

    def __init__(self) -> None:
        self._said: dict[Sender, list[tuple[float, bytes, bool]]] = {}
        self.records = 0
        self.broken = 0

    def write(self, sender: Sender, at: float, line: bytes, *, broken: bool = False) -> None:
        self._said.setdefault(sender, []).append((at, line, broken))
        self.records += 1
        self.broken += broken

    def write_json(self, sender: Sender, at: float, record: dict[str, Any]) -> None:
        self.write(sender, at, orjson.dumps(record))

    def cut(self) -> Iterator[Sending]:
        """All sendings by the time of their last record; none spans more than half an hour."""
        sendings: list[Sending] = []
        for sender, said in self._said.items():
            sendings.extend(_cut_sender(sender, sorted(said, key=_time)))
        yield from sorted(sendings, key=lambda sending: sending.at)


def _time(entry: tuple[float, bytes, bool]) -> float:
    return entry[0]


def _cut_sender(sender: Sender, said: list[tuple[float, bytes, bool]]) -> Iterator[Sending]:
    most = _MOST_RECORDS.get(sender.channel, 1_000_000)
    number = 0
    first = 0
    for at in range(1, len(said) + 1):
        whole = at - first == most
        if at == len(said) or whole or said[at][0] // _WINDOW_S != said[first][0] // _WINDOW_S:
            number += 1
            part = said[first:at]
            yield Sending(
                channel=sender.channel,
                source=sender.source,
                payload=sender.join([line for _, line, _ in part]),
                records=len(part),
                broken=sum(broken for _, _, broken in part),
                at=moment(part[-1][0]),
                filename=(
                    f"{sender.source}-{number:03d}-{sender.ending}"
                    if sender.channel is Channel.FILE
                    else ""
                ),
            )
            first = at
