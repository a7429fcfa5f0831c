"""Legal holds: what nothing deletes, who said so, why, and since when."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, insert, or_, select, update

from tocsin.app.access.audit import AuditLog
from tocsin.app.storage.retention_tables import LEGAL_HOLDS, LONGEST_NAME
from tocsin.model.identifier import new_id
from tocsin.model.retention import Hold
from tocsin.store.engines.state import manifest
from tocsin.store.fields import FieldCatalogue
from tocsin.store.lucene import compile_filter
from tocsin.store.ports import QueryError, StateStore

LONGEST_REASON = 4000
LONGEST_FILTER = 4000
MOST_SOURCES = 200
GRACE = timedelta(days=1)
"""So long what a hold spared stays after it was lifted: time to place it again."""

_EVERYTHING = ("", "*", "*:*")


class HoldError(Exception):
    """A hold that can't be placed or lifted; the message says why."""


class HoldBook:
    """All holds, also those that were lifted."""

    def __init__(self, state: StateStore, audit: AuditLog) -> None:
        self._state = state
        self._audit = audit

    def all(self) -> tuple[Hold, ...]:
        """Those in force first, the latest first."""
        wanted = select(LEGAL_HOLDS).order_by(LEGAL_HOLDS.c.placed_at.desc(), LEGAL_HOLDS.c.id)
        with self._state.read() as tx:
            found = [_hold(row) for row in tx.execute(wanted).mappings()]
        return tuple(sorted(found, key=lambda one: one.is_lifted))

    def sparing(self, tx: Connection, now: datetime) -> tuple[Hold, ...]:
        """Those that nothing deletes at ``now``: in force, or lifted less than ``GRACE`` ago."""
        columns = LEGAL_HOLDS.c
        late = or_(columns.lifted_at.is_(None), columns.lifted_at > now - GRACE)
        wanted = select(LEGAL_HOLDS).where(late).order_by(columns.id)
        return tuple(_hold(row) for row in tx.execute(wanted).mappings())

    def in_force(self, tx: Connection) -> tuple[Hold, ...]:
        wanted = (
            select(LEGAL_HOLDS).where(LEGAL_HOLDS.c.lifted_at.is_(None)).order_by(LEGAL_HOLDS.c.id)
        )
        return tuple(_hold(row) for row in tx.execute(wanted).mappings())

    def place(
        self,
        name: str,
        reason: str,
        *,
        by: str,
        now: datetime,
        sources: Sequence[str] = (),
        tenant: str = "",
        start: datetime | None = None,
        until: datetime | None = None,
        matching: str = "",
    ) -> Hold:
        """Hold events from now on; raises HoldError. What is deleted already does not come back."""
        title, why = " ".join(name.split()), reason.strip()
        wanted = "" if matching.strip() in _EVERYTHING else matching.strip()
        patterns = tuple(dict.fromkeys(one.strip() for one in sources if one.strip()))
        _check(title, why, patterns, tenant, wanted)
        if start is not None and until is not None and until <= start:
            raise HoldError(
                "the end of the range is not after its start: swap them, or leave one out"
            )
        hold = Hold(
            *(new_id("hold"), title, why, by, now, patterns, tenant.strip(), start, until),
            matching=wanted,
        )
        with self._state.begin() as tx:
            _check_filter(tx, wanted)
            if any(one.name.casefold() == title.casefold() for one in self.in_force(tx)):
                raise HoldError(f"a hold named {title!r} is in force: give this one another name")
            columns = (column.name for column in LEGAL_HOLDS.columns)
            values = {column: getattr(hold, column) for column in columns}
            tx.execute(insert(LEGAL_HOLDS).values({**values, "sources": list(patterns)}))
            self._note(tx, "hold.place", hold, f"{scope_in_words(hold)}; because: {why}", by, now)
        return hold

    def lift(self, wanted: str, because: str, *, by: str, now: datetime) -> Hold:
        """End a hold, by its id or name; raises HoldError. Deleting may begin after ``GRACE``."""
        why = because.strip()
        if not why or len(why) > LONGEST_REASON:
            raise HoldError(f"say why it is lifted, in at most {LONGEST_REASON:,} characters")
        with self._state.begin() as tx:
            name = " ".join(wanted.split()).casefold()
            known = self.in_force(tx)
            hold = next((one for one in known if wanted == one.id), None) or next(
                (one for one in known if one.name.casefold() == name), None
            )
            if hold is None:
                raise HoldError(f"there is no hold {wanted[:120]!r} in force")
            ended = {"lifted_at": now, "lifted_by": by, "lifted_because": why}
            tx.execute(update(LEGAL_HOLDS).where(LEGAL_HOLDS.c.id == hold.id).values(ended))
            self._note(tx, "hold.lift", hold, f"{scope_in_words(hold)}; because: {why}", by, now)
            row = tx.execute(select(LEGAL_HOLDS).where(LEGAL_HOLDS.c.id == hold.id)).mappings()
            return _hold(row.one())

    def _note(
        self, tx: Connection, action: str, hold: Hold, detail: str, by: str, now: datetime
    ) -> None:
        self._audit.append(tx, actor=by, action=action, subject=hold.name, detail=detail, now=now)


def scope_in_words(hold: Hold) -> str:
    """``syslog/*, from 2026-03-01 to 2026-04-01`` and so on."""
    what = ", ".join(hold.sources) or "all sources"
    what = f"what {hold.matching} finds in {what}" if hold.matching else what
    whose = f" of {hold.tenant}" if hold.tenant else ""
    start = f" from {hold.start:%Y-%m-%d %H:%M}" if hold.start else ""
    until = f" to {hold.until:%Y-%m-%d %H:%M}" if hold.until else ""
    return f"{what}{whose}{start}{until}" + ("" if start or until else ", all times")


def _check_filter(tx: Connection, matching: str) -> None:
    try:
        compile_filter(matching, FieldCatalogue(manifest.fields(tx)))
    except QueryError as error:
        raise HoldError(f"the filter can't be read: {error}") from error


def _check(name: str, reason: str, sources: Sequence[str], tenant: str, matching: str) -> None:
    if not name or len(name) > LONGEST_NAME:
        raise HoldError(f"give the hold a name of at most {LONGEST_NAME} characters")
    if not reason or len(reason) > LONGEST_REASON:
        raise HoldError(f"say why it is held, in at most {LONGEST_REASON:,} characters")
    if len(sources) > MOST_SOURCES or any(len(one) > 300 for one in sources):
        raise HoldError(f"name at most {MOST_SOURCES} sources of 300 characters, or use patterns")
    if len(matching) > LONGEST_FILTER:
        raise HoldError(f"a filter has at most {LONGEST_FILTER:,} characters")
    if len(tenant) > 200:
        raise HoldError("a tenant's name has at most 200 characters")


def _hold(row: RowMapping) -> Hold:
    return Hold(**{**row, "sources": tuple(row["sources"])})
