"""Source names out of what senders say about their records: one raw batch a name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.model.field_path import values_at
from tocsin.model.record import Decoded, RawBatch
from tocsin.model.shaped_records import CellKind, ShapedGroup, ShapedRecords, Template

Codes = npt.NDArray[np.int64]
MOST_NAMES = 64
"""So many names a request may have; records of further ones count for the sender alone."""
_LONGEST = 120


@dataclass(slots=True)
class SentNames:
    """The names that were met, and for each decoded batch the number of each record's name."""

    names: list[str]
    codes: list[Codes]

    def number(self, name: object) -> int:
        """The number of a name; 0 is that of no name."""
        text = clean_name(name) if isinstance(name, str) else ""
        if not text:
            return 0
        if text in self.names:
            return self.names.index(text)
        if len(self.names) > MOST_NAMES:
            return 0
        self.names.append(text)
        return len(self.names) - 1


def clean_name(name: str) -> str:
    """``name`` fit to be part of a source's name: printable, at most ``_LONGEST`` characters."""
    return "".join(mark if mark.isprintable() else "_" for mark in name.strip()[:_LONGEST])


def names_of(decoded: Sequence[Decoded], paths: Sequence[str]) -> SentNames:
    """Each record's first value among ``paths``, which name texts."""
    found = SentNames([""], [])
    for one in decoded:
        codes = np.zeros(len(one.records), np.int64)
        if one.shaped is None:
            for row, record in enumerate(one.records):
                codes[row] = found.number(_first(record, paths))
        else:
            for row, loose in one.shaped.loose.items():
                codes[row] = found.number(_first(loose, paths))
            for group in one.shaped.groups:
                codes[group.rows] = _of_group(found, one.shaped, group, paths)
            for table in one.shaped.tables:
                slot = _slot(table.template, paths)
                if slot is not None:
                    codes[table.rows] = _of_texts(found, table.columns[slot - 1])
        found.codes.append(codes)
    return found


def regrouped(
    batches: Sequence[RawBatch], decoded: Sequence[Decoded], names: SentNames
) -> list[RawBatch]:
    """The batches with sources named ``<source>/<name>``, split where records differ in name.

    Lines that are no records stay with the batch's own source.
    """
    if len(names.names) == 1:
        return list(batches)
    made: list[RawBatch] = []
    for batch, one, codes in zip(batches, decoded, names.codes, strict=True):
        same = len(codes) > 0 and not one.unreadable and bool((codes == codes[0]).all())
        made += (
            [_renamed(batch, names, int(codes[0]))] if same else _split(batch, one, codes, names)
        )
    return made


def _split(batch: RawBatch, one: Decoded, codes: Codes, names: SentNames) -> list[RawBatch]:
    lines = batch.payload.split(b"\n")
    code_of = np.zeros(len(lines), np.int64)
    code_of[one.ordinals] = codes
    parts: list[RawBatch] = []
    for code in np.unique(code_of).tolist():
        chosen = np.flatnonzero(code_of == code).tolist()
        payload = b"\n".join([lines[at] for at in chosen])
        if payload.strip():
            part = replace(batch, payload=payload, first_ordinal=batch.first_ordinal + chosen[0])
            parts.append(_renamed(part, names, code))
    return parts


def _renamed(batch: RawBatch, names: SentNames, code: int) -> RawBatch:
    return replace(batch, source=f"{batch.source}/{names.names[code]}") if code else batch


def _first(record: Mapping[str, Any], paths: Sequence[str]) -> object:
    for path in paths:
        values = values_at(record, path)
        if values and isinstance(values[0], str) and values[0]:
            return values[0]
    return None


def _of_group(
    found: SentNames, shaped: ShapedRecords, group: ShapedGroup, paths: Sequence[str]
) -> Codes:
    slot = _slot(group.template, paths)
    if slot is None:
        return np.zeros(len(group.rows), np.int64)
    places = (group.texts + group.template.offsets[slot - 1]) * 2
    return _of_texts(found, shaped.texts.take(pa.array(places)))


def _of_texts(found: SentNames, texts: pa.StringArray) -> Codes:
    coded = texts.dictionary_encode()
    numbers = np.array([found.number(name) for name in coded.dictionary.to_pylist()], np.int64)
    codes: Codes = numbers[coded.indices.to_numpy(zero_copy_only=False)]
    return codes


def _slot(template: Template, paths: Sequence[str]) -> int | None:
    for path in paths:
        values = values_at(template.record, path)
        slot = values[0] if values else None
        if isinstance(slot, int) and template.kinds[slot - 1] is CellKind.TEXT:
            return slot
    return None
