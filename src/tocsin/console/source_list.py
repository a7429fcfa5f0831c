"""The list of sources as its address asks for it: which sources, and in which order."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tocsin.app.health_now import SourceHealth
from tocsin.console.visit import with_query

SICK, SILENT, UNREADABLE, UNRECOGNIZED, WELL = (
    "sick",
    "silent",
    "unreadable",
    "unrecognized",
    "well",
)
SORTS = ("health", "name", "rate", "lag", "last", "unreadable", "unrecognized", "received")
_UP_FIRST = frozenset({"name", "last"})
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
Test = Callable[[SourceHealth], bool]

_TESTS: dict[str, tuple[str, Test]] = {
    SICK: ("In trouble", lambda one: bool(one.troubles)),
    SILENT: ("Silent", lambda one: one.is_silent),
    UNREADABLE: ("With unreadable records", lambda one: one.ledger.quarantined > 0),
    UNRECOGNIZED: ("With unknown formats", lambda one: one.ledger.unrecognized > 0),
    WELL: ("Well", lambda one: not one.troubles),
}


@dataclass(frozen=True, slots=True)
class SourcesState:
    """What the address of the list holds; ``cursor`` continues it."""

    q: str = ""
    health: str = ""
    owner: str = ""
    sort: str = ""
    cursor: str = ""

    def address(self, **changes: object) -> str:
        query: dict[str, object] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        query |= changes
        return with_query("/sources", query)

    @property
    def narrows(self) -> bool:
        """True when it leaves sources out."""
        return bool(self.q or self.health or self.owner)

    @property
    def order(self) -> tuple[str, bool]:
        """What the list is sorted by, and whether the largest comes first."""
        name = self.sort.removeprefix("-")
        if name not in SORTS:
            return "health", True
        return name, (name not in _UP_FIRST) != self.sort.startswith("-")

    def sorted_by(self, name: str) -> str:
        """The address of the list sorted by ``name``; the other way round when it is already."""
        is_now = self.order[0] == name and not self.sort.startswith("-")
        sort = f"-{name}" if is_now else name
        return self.address(sort="" if sort == "health" else sort, cursor="")

    def aria_sort(self, name: str) -> str:
        by, is_down = self.order
        return "none" if by != name else "descending" if is_down else "ascending"

    def chosen(self, sources: Iterable[SourceHealth]) -> list[SourceHealth]:
        """The sources that meet every part that is set, in the order asked for."""
        words = self.q.lower().split()
        _, test = _TESTS.get(self.health, ("", lambda _: True))
        found = [
            one
            for one in sources
            if test(one)
            and (not self.owner or one.owner == self.owner)
            and all(word in _text(one) for word in words)
        ]
        return self._sorted(found)

    def _sorted(self, found: list[SourceHealth]) -> list[SourceHealth]:
        by, is_down = self.order
        keys: dict[str, Callable[[SourceHealth], Any]] = {
            "health": _sickness,
            "name": lambda one: one.ledger.name.lower(),
            "rate": lambda one: one.rate.events_per_minute or 0.0,
            "lag": lambda one: -1.0 if one.rate.lag_s is None else one.rate.lag_s,
            "last": lambda one: one.ledger.last_seen or _BEGINNING,
            "unreadable": lambda one: one.ledger.quarantined,
            "unrecognized": lambda one: one.ledger.unrecognized,
            "received": lambda one: one.ledger.received,
        }
        by_name = sorted(found, key=lambda one: (one.ledger.name.lower(), one.ledger.tenant))
        return sorted(by_name, key=keys[by], reverse=is_down)


def health_counts(sources: Sequence[SourceHealth]) -> list[tuple[str, str, int]]:
    """What the health filter offers: name in the address, words, how many."""
    return [
        (name, words, sum(test(one) for one in sources)) for name, (words, test) in _TESTS.items()
    ]


def _sickness(one: SourceHealth) -> tuple[int, int, bool, bool]:
    """Worse is larger: by its worst trouble, their number, then what lies in quarantine."""
    rank = one.worst.rank + 1 if one.worst is not None else 0
    return rank, len(one.troubles), one.ledger.quarantined > 0, one.ledger.unrecognized > 0


def _text(one: SourceHealth) -> str:
    return " ".join((one.ledger.name, one.ledger.tenant, one.owner, *one.ledger.lanes)).lower()
