"""Which fields were seen so far, so that only new ones are written down."""

import json
from collections.abc import Collection

import structlog
from sqlalchemy import Connection

from tocsin.store.engines.state import manifest
from tocsin.store.ports import SeenField

_log = structlog.get_logger()
LONGEST_PATH = 1_500
"""Characters of a field's path (as JSON, in ASCII) that is kept and suggested; a longer one is
found by its exact name."""


def is_kept(field: SeenField) -> bool:
    """False for a name no person writes: an index of PostgreSQL could not hold it."""
    return len(json.dumps(field.path)) <= LONGEST_PATH


class KnownFields:
    """Keeps the fields of what is published; in one process."""

    def __init__(self) -> None:
        self._known: frozenset[SeenField] = frozenset()
        self._full: frozenset[tuple[str, str]] = frozenset()

    def note(self, tx: Connection, fields: Collection[SeenField]) -> None:
        """Keep those that are new, as far as their lanes take more of them."""
        new = frozenset(fields) - self._known
        fresh = self._with_room(frozenset(filter(is_kept, new)))
        if fresh:
            self._known = manifest.fields(tx)  # committed ones, before ours
            manifest.add_fields(tx, fresh - self._known, self._known)
            self._tell_full(manifest.full_lanes(self._known))

    def _with_room(self, fields: frozenset[SeenField]) -> frozenset[SeenField]:
        """Those whose lane takes more of them."""
        if not self._full:
            return fields
        return frozenset(
            field
            for field in fields
            if (field.lane, field.space) not in self._full or manifest.is_remainder(field)
        )

    def _tell_full(self, full: frozenset[tuple[str, str]]) -> None:
        for lane, space in sorted(full - self._full):
            advice = "those beyond are found by their exact name only; who makes up names in it?"
            _log.warning(
                "fields_full", lane=lane, space=space, most=manifest.MOST_FIELDS, advice=advice
            )
        self._full = full
