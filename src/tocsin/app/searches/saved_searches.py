"""Searches people keep under a name: their own, and those everyone may use."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Index,
    RowMapping,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    or_,
    select,
    update,
)

from tocsin.app.access.audit import AuditLog
from tocsin.app.moment import parse_moment
from tocsin.model.identifier import new_id
from tocsin.store.lucene import check_filter
from tocsin.store.ports import StateStore
from tocsin.store.state import Utc, metadata

LONGEST_NAME = 120
LONGEST_VIEW = 8000
MOST_KEPT = 500
"""So many a person may keep; a list that is longer serves nobody."""

_VIEW = frozenset({"cols", "sort", "tz", "split"})

SAVED_SEARCHES = Table(
    "saved_searches",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", String(200), nullable=False),
    Column("name", String(LONGEST_NAME), nullable=False),
    Column("query", Text, nullable=False),
    # As people write them: ISO times, now-4h, "all"; "" is the default.
    Column("start", String(40), nullable=False),
    Column("until", String(40), nullable=False),
    Column("is_shared", Boolean, nullable=False),
    # Columns, order and zone as the console's address has them; "" is the default.
    Column("shown", Text, nullable=False, server_default=""),
    Column("changed_at", Utc, nullable=False),
    UniqueConstraint("owner", "name"),
    Index(None, "is_shared"),
)


class SavedSearchError(Exception):
    """A search that can't be kept, or is not there; the message says why."""


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A question with its range as people write it (``start`` may be ``all`` or ``now-4h``).

    ``shown`` is the part of a search's address that says how: ``cols=user%2Chost&sort=oldest``.
    """

    id: str
    owner: str
    name: str
    query: str
    start: str
    until: str
    is_shared: bool
    changed_at: datetime
    shown: str = ""


class SavedSearches:
    """Who keeps what. A person sees and uses their own and the shared ones, and changes their own."""

    def __init__(self, state: StateStore, audit: AuditLog) -> None:
        self._state = state
        self._audit = audit

    def seen_by(self, person: str) -> Sequence[SavedSearch]:
        """By name; a person's own before others' of the same name."""
        kept = SAVED_SEARCHES.c
        wanted = select(SAVED_SEARCHES).where(or_(kept.owner == person, kept.is_shared))
        with self._state.read() as tx:
            seen = [_saved(row) for row in tx.execute(wanted).mappings()]
        return sorted(seen, key=lambda one: (one.name.casefold(), one.owner != person, one.owner))

    def keep(
        self,
        name: str,
        query: str,
        start: str,
        until: str,
        *,
        by: str,
        now: datetime,
        is_shared: bool = False,
        shown: str = "",
    ) -> SavedSearch:
        """Keep a search; one's own of the same name is replaced.

        Raises QueryError for a query and SavedSearchError for a name or a range that can't be.
        """
        named = " ".join(name.split())
        if not named or len(named) > LONGEST_NAME or not named.isprintable():
            raise SavedSearchError(f"a name has 1 to {LONGEST_NAME} characters one can see")
        check_filter(query)
        _check_range(start, until, now)
        content = {
            "query": query.strip(),
            "start": start.strip(),
            "until": until.strip(),
            "is_shared": is_shared,
            "shown": _view(shown),
            "changed_at": now,
        }
        with self._state.begin() as tx:
            own = _own(tx, by)
            saved_id = own.get(named.casefold(), "")
            if saved_id:
                tx.execute(
                    update(SAVED_SEARCHES)
                    .where(SAVED_SEARCHES.c.id == saved_id)
                    .values(**content, name=named)
                )
            else:
                if len(own) >= MOST_KEPT:
                    raise SavedSearchError(
                        f"{MOST_KEPT} searches are kept already: remove one first"
                    )
                saved_id = new_id("search", now)
                row = {"id": saved_id, "owner": by, "name": named, **content}
                tx.execute(insert(SAVED_SEARCHES).values(row))
            self._note(tx, "searches.keep", saved_id, named, by, now)
        return self._one(saved_id)

    def remove(self, saved_id: str, *, by: str, now: datetime) -> SavedSearch:
        """Forget one's own search; raises SavedSearchError for one that is not there or others'."""
        found = self._one(saved_id)
        if found.owner != by and not found.is_shared:
            raise _gone(saved_id)  # whose it is and what it is called is nobody's business
        if found.owner != by:
            raise SavedSearchError(
                f"the search “{found.name}” is {found.owner}'s: ask them to remove it"
            )
        with self._state.begin() as tx:
            tx.execute(delete(SAVED_SEARCHES).where(SAVED_SEARCHES.c.id == saved_id))
            self._note(tx, "searches.remove", saved_id, found.name, by, now)
        return found

    def _one(self, saved_id: str) -> SavedSearch:
        wanted = select(SAVED_SEARCHES).where(SAVED_SEARCHES.c.id == saved_id)
        with self._state.read() as tx:
            row = tx.execute(wanted).mappings().one_or_none()
        if row is None:
            raise _gone(saved_id)
        return _saved(row)

    def _note(
        self, tx: Connection, action: str, subject: str, name: str, by: str, now: datetime
    ) -> None:
        self._audit.append(
            tx, actor=by, action=action, subject=subject, detail=name, outcome="done", now=now
        )


def _gone(saved_id: str) -> SavedSearchError:
    return SavedSearchError(f"there is no saved search {saved_id[:64]!r} (any more)")


def _saved(row: RowMapping) -> SavedSearch:
    return SavedSearch(**row)


def _own(tx: Connection, owner: str) -> dict[str, str]:
    """The ids of a person's searches by name, letter case aside (SQLite folds ASCII alone)."""
    kept = SAVED_SEARCHES.c
    rows = tx.execute(select(kept.name, kept.id).where(kept.owner == owner))
    return {name.casefold(): saved_id for name, saved_id in rows}


def _view(shown: str) -> str:
    """What of it says how a search is shown; raises SavedSearchError when it is too long."""
    if len(shown) > LONGEST_VIEW:
        raise SavedSearchError(f"columns, order and zone have at most {LONGEST_VIEW:,} characters")
    return urlencode([(name, text) for name, text in parse_qsl(shown) if name in _VIEW])


def _check_range(start: str, until: str, now: datetime) -> None:
    for name, text in (("from", start), ("to", until)):
        if len(text) > 40:
            raise SavedSearchError(f"{name}: a time has at most 40 characters")
        try:
            if text.strip() not in ("", "all"):
                parse_moment(text, now)
        except ValueError as error:
            raise SavedSearchError(f"{name}: {error}") from error
