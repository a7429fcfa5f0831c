"""A push to Grafana Loki, taken apart into one line of a stream a record."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from tocsin.ingest.bodies.json_request import json_request
from tocsin.ingest.bodies.sent_names import MOST_NAMES, clean_name
from tocsin.ingest.cutting.cutting import Maker, line_groups
from tocsin.ingest.errors import IngestError
from tocsin.ingest.request_bounds import RequestBounds
from tocsin.model.record import RawBatch

_NAMED_BY = ("service_name", "job", "app", "container", "container_name", "unit", "filename")
"""Labels that tell what a stream is of, the first one there is."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = 19


class LokiFault(IngestError):
    """The request is not one of Loki's."""


def push_in_json(body: bytes) -> dict[str, Any]:
    """The request as it stands; raises LokiFault when it is none."""
    return json_request(body, LokiFault)


def take_push(request: Mapping[str, Any], maker: Maker) -> list[RawBatch]:
    """Batches for the spool, one source a stream's name; raises LokiFault, and takes nothing then.

    A line is kept with its time and its labels; whatever else an entry has, it is taken in.
    """
    by_source: dict[str, list[bytes]] = {}
    bounds = RequestBounds(LokiFault)
    for at, stream in enumerate(_list_in(request, "streams", "the body")):
        where = f"streams[{at}]"
        if not isinstance(stream, dict):
            raise LokiFault(f"{where} is no object")
        labels = stream.get("stream", {})
        if not isinstance(labels, dict):
            raise LokiFault(f"{where}.stream is no object of labels")
        name = _name_of(labels)
        if name not in by_source and len(by_source) >= MOST_NAMES:
            name = ""
        try:
            about = orjson.dumps(labels)
            entries = _list_in(stream, "values", where)
            bounds.add(len(entries), len(about))
            by_source.setdefault(name, []).extend(_lines(entries, about, where))
        except TypeError as error:  # orjson writes no more than 254 levels
            raise LokiFault(f"{where} is nested too deeply") from error
    batches = []
    for name, lines in by_source.items():
        named = replace(maker, source=f"{maker.source}/{name}") if name else maker
        number = 1
        for group, count in line_groups(b"\n".join(lines)):
            batches.append(named.batch(group, number))
            number += count
    return batches


def _lines(entries: Sequence[Any], labels: bytes, where: str) -> Iterator[bytes]:
    about = {"labels": orjson.Fragment(labels)}
    for number, entry in enumerate(entries):
        if not isinstance(entry, list) or len(entry) < 2:
            raise LokiFault(f"{where}.values[{number}] is no [time, line]")
        moment, line, *more = entry
        said = about | ({"metadata": more[0]} if more and more[0] else {})
        text = line if isinstance(line, str) else orjson.dumps(line).decode()
        if text.strip():
            yield orjson.dumps({"log": text, "time": _moment(moment), "loki": said})


def _moment(nanoseconds: object) -> object:
    """ISO 8601 with all digits; what is no number of nanoseconds stays as it is."""
    text = str(nanoseconds)
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        return text if isinstance(nanoseconds, int) else nanoseconds  # JSON has no such integers
    seconds, rest = divmod(int(text), 1_000_000_000)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _name_of(labels: Mapping[str, Any]) -> str:
    for name in _NAMED_BY:
        value = labels.get(name)
        if isinstance(value, str) and (told := clean_name(value)):
            return told
    return ""


def _list_in(holder: Mapping[str, Any], name: str, where: str) -> list[Any]:
    found = holder.get(name)
    if not isinstance(found, list):
        raise LokiFault(f"{where} has no list {name!r}")
    return found
