"""Drafts a mapping for records nobody knows: fields, time, likely class; a person finishes it."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import yaml

from tocsin.normalize.columns import columns_of
from tocsin.normalize.draft_hints import CLASSES, LOG_SOURCES, TARGETS, ClassHint
from tocsin.normalize.expression import Fields
from tocsin.normalize.mapping import TimeField
from tocsin.normalize.timestamps import event_times

_LOOKED_AT = 500
_STYLES = (
    *("iso", "syslog", "apache"),
    *("%Y/%m/%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S"),
    *("%d-%b-%Y %H:%M:%S", "%Y%m%d%H%M%S", "%Y-%m-%d"),
)
_TIME_NAME = re.compile(r"time|date|(^|[._@])(ts|at|when|created|occurred)$", re.IGNORECASE)
_EPOCH = re.compile(r"\d{9,19}(\.\d+)?")
_MADE_BY_DECODING = frozenset({"facility", "severity", "priority", "hostname", "timestamp"})
_LONGEST_VALUE = 40
_MOST_FIELDS = 200


@dataclass(frozen=True, slots=True)
class DraftField:
    """One field of the sample: in how many records, an example, how many values it has."""

    path: str
    records: int
    example: str
    distinct: int


@dataclass(frozen=True, slots=True)
class MappingDraft:
    """``text`` is the draft of ``mapping.yml``; ``time`` is None when no field holds one."""

    text: str
    fields: tuple[DraftField, ...]
    time: TimeField | None
    class_name: str
    records: int


def draft_mapping(records: Sequence[Mapping[str, object]], connector: str) -> MappingDraft:
    """A draft from at most 500 ``records`` (at least one), as they were decoded."""
    looked_at = [dict(record) for record in records[:_LOOKED_AT]]
    values: dict[str, Counter[str]] = {}
    for record in looked_at:
        for path, value in dict(_leaves("", record)).items():
            values.setdefault(path, Counter())[str(value)] += 1
    fields = tuple(
        DraftField(path, sum(seen.values()), next(iter(seen)), len(seen))
        for path, seen in list(values.items())[:_MOST_FIELDS]
    )
    time = _time_of(looked_at, fields)
    hint = _class_of(fields)
    text = _text(connector, fields, values, len(looked_at), time, hint)
    return MappingDraft(text, fields, time, hint.name, len(looked_at))


def _leaves(prefix: str, record: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in record.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _leaves(f"{path}.", value)
        elif value is not None and not isinstance(value, list):
            yield path, value


def _time_of(
    records: Sequence[dict[str, object]], fields: Sequence[DraftField]
) -> TimeField | None:
    """The field and format that give a believable time for most records, by name if equal."""
    native = Fields(columns_of(records))
    received = np.full(len(records), int(datetime.now(UTC).timestamp() * 1e6), np.int64)
    best: tuple[float, TimeField] | None = None
    for field in fields:
        is_named = _TIME_NAME.search(field.path) is not None
        if not is_named and not re.search(r"\d{4}.*\d\d:\d\d|\d\d:\d\d:\d\d", field.example):
            continue
        for style in ("epoch",) if _EPOCH.fullmatch(field.example) else _STYLES:
            wanted = TimeField(field=field.path, format=style)
            quality = event_times(native, [wanted], received).quality
            read = len(records) - (0 if quality is None else len(quality) - quality.null_count)
            score = read / len(records) + (0.1 if is_named else 0.0)
            if read and (best is None or score > best[0]):
                best = score, wanted
    return best[1] if best is not None else None


def _plain(path: str) -> str:
    """``SourceIP`` and ``source.ip`` alike: ``source_ip``."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path)
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")


def _class_of(fields: Sequence[DraftField]) -> ClassHint:
    """The class most of whose telling names are there; the first of those that are equal."""
    names = {word for field in fields for word in _plain(field.path).split("_")}
    names |= {_plain(field.path) for field in fields}
    scored = [(sum(word in names for word in hint.words), hint) for hint in CLASSES]
    enough = [(score, hint) for score, hint in scored if score >= hint.least]
    return max(enough, key=lambda one: one[0])[1] if enough else ClassHint("base_event", (), 0)


def _recognize(
    fields: Sequence[DraftField], values: Mapping[str, Counter[str]], records: int
) -> dict[str, object]:
    """What all records share: fixed short values, or else the longest names always there."""
    always = [one for one in fields if one.records == records]
    always = [one for one in always if one.path not in _MADE_BY_DECODING]
    fixed = [
        one
        for one in always
        if len(values[one.path]) == 1 and records > 1 and 0 < len(one.example) <= _LONGEST_VALUE
        if re.search(r"program|product|vendor|module|type|app|service|kind|source$", one.path, re.I)
    ]
    found: dict[str, object] = {one.path: one.example for one in fixed[:2]}
    names = sorted((one.path for one in always if one.path != "message"), key=len, reverse=True)
    for path in names[: 3 - len(found)]:
        found.setdefault(path, {"present": True})
    return found or {"message": {"matches": "FILL IN: what only these lines have"}}


def _text(
    connector: str,
    fields: Sequence[DraftField],
    values: Mapping[str, Counter[str]],
    records: int,
    time: TimeField | None,
    hint: ClassHint,
) -> str:
    mapped: dict[str, str] = {}
    for field in fields:
        target = TARGETS.get(_plain(field.path)) or TARGETS.get(_plain(field.path.split(".")[-1]))
        if target is not None and (time is None or field.path != time.field):
            mapped.setdefault(target, field.path)
    taken = {*mapped.values(), *([time.field] if time is not None else ())}
    shape: dict[str, object] = {"name": "record"}
    if hint.name in LOG_SOURCES:
        shape["logsource"] = LOG_SOURCES[hint.name]
    shape |= {"class": hint.name, "activity": 99}
    if mapped:
        shape["map"] = mapped
    draft: dict[str, object] = {
        **{"connector": connector, "vendor": "FILL IN", "product_name": connector},
        **{"product": connector, "recognize": _recognize(fields, values, records)},
    }
    if time is not None:
        draft["time"] = [time.model_dump(exclude_defaults=True)]
    draft["shapes"] = [shape]
    head = (
        f"# Drafted from {records} records; a person finishes it. Check: is `recognize` true of "
        "these\n# records alone, is the class right, does `activity` say what happened "
        "(99: other)?\n"
    )
    if time is None:
        head += "# No field holds a time: the time of receipt counts until `time` names one.\n"
    left = [field for field in fields if field.path not in taken]
    tail = "".join(
        f"# left: {field.path} ({field.records} of {records}, {field.distinct} values), "
        f"such as {_shown(field.example)}\n"
        for field in left
    )
    return head + yaml.safe_dump(draft, sort_keys=False, allow_unicode=True, width=100) + tail


def _shown(example: str) -> str:
    """One line that can't end the comment it stands in."""
    text = repr(example)
    return text if len(text) <= 80 else text[:79] + "…"
