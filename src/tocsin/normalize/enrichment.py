"""Adds to events what is known of the addresses in them: network, place, operator, asset."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.model.event import EventBatch
from tocsin.normalize.ocsf_types import fitting

Facts = Mapping[str, str | int]
"""By attribute of an OCSF ``network_endpoint`` (``location.country``) what it is.

What OCSF has no attribute for begins with ``unmapped.``.
"""

ENDPOINTS = ("src_endpoint", "dst_endpoint")
_REMEMBERED = 200_000


class AddressBook(Protocol):
    """Somebody who knows addresses. Never raises; what is wrong is for ``problems``."""

    def refresh(self) -> bool:
        """Look whether what it reads from has changed; True when its answers may be others now."""

    def facts(self, address: str) -> Facts:
        """What it knows of the address, given as text; empty when nothing."""

    def problems(self) -> Sequence[str]:
        """What it can't use at present, with file and reason."""


class Enricher:
    """Asks its books about each distinct address once. For one thread at a time.

    What an event says itself stays as it is; of several books the first that says something
    about an attribute is believed.
    """

    def __init__(self, books: Sequence[AddressBook]) -> None:
        self._books = books
        self._known: dict[str, Facts] = {}

    def problems(self) -> list[str]:
        """What can't be used at present, with file and reason."""
        return [problem for book in self._books for problem in book.problems()]

    def enriched(self, batches: Sequence[EventBatch]) -> list[EventBatch]:
        """The batches, with columns for what is known of their addresses."""
        changed = [book.refresh() for book in self._books]
        if any(changed) or len(self._known) > _REMEMBERED:
            self._known.clear()
        return [self._batch(batch) for batch in batches]

    def _batch(self, batch: EventBatch) -> EventBatch:
        ocsf = batch.ocsf
        for endpoint in ENDPOINTS:
            at = ocsf.schema.get_field_index(f"{endpoint}.ip")
            if at >= 0:
                ocsf = _with(ocsf, endpoint, self._columns(ocsf.column(at)))
        return batch if ocsf is batch.ocsf else replace(batch, ocsf=ocsf)

    def _columns(self, addresses: pa.Array) -> dict[str, pa.Array]:
        coded = addresses.cast(pa.string()).dictionary_encode()
        facts = [self._of(address) for address in coded.dictionary.to_pylist()]
        names = dict.fromkeys(name for known in facts for name in known)
        return {
            name: pa.array([known.get(name) for known in facts]).take(coded.indices)
            for name in names
        }

    def _of(self, address: str) -> Facts:
        known = self._known.get(address)
        if known is None:
            found: dict[str, str | int] = {}
            for book in self._books:
                found = {**book.facts(address), **found}
            known = self._known[address] = found
        return known


def _with(ocsf: pa.RecordBatch, endpoint: str, found: Mapping[str, pa.Array]) -> pa.RecordBatch:
    names, arrays = list(ocsf.schema.names), list(ocsf.columns)
    for attribute, array in found.items():
        path = _path(endpoint, attribute)
        fitted = fitting(path)(array)
        if path not in names:
            names.append(path)
            arrays.append(fitted)
            continue
        at = names.index(path)
        if arrays[at].null_count and arrays[at].type == fitted.type:
            arrays[at] = pc.coalesce(arrays[at], fitted)
    return pa.RecordBatch.from_arrays(arrays, names=names) if found else ocsf


def _path(endpoint: str, attribute: str) -> str:
    root, _, rest = attribute.partition(".")
    return f"unmapped.{endpoint}.{rest}" if root == "unmapped" else f"{endpoint}.{attribute}"
