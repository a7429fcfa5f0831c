"""The panel beside a list: what is open in it, and the ways to its neighbours and out of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tocsin.console.choosing import neighbours
from tocsin.console.panes import attempt
from tocsin.console.visit import with_query


class ListState(Protocol):
    """What the address of a list holds."""

    def address(self, **changes: str) -> str: ...


@dataclass(frozen=True, slots=True)
class OpenState:
    """What the address of a plain list holds; ``open`` is the row in the panel."""

    status: str = ""
    cursor: str = ""
    open: str = ""

    path = ""

    def address(self, **changes: str) -> str:
        query = {name: getattr(self, name) for name in self.__dataclass_fields__} | changes
        return with_query(self.path, query)


def beside(
    query: ListState, key: str, ids: Sequence[str], what: str, make: Callable[[str], object]
) -> dict[str, Any]:
    """What the panel's template needs: ``make`` gives the view of the id in the address's ``key``.

    ``ids`` are the rows of the list in their order, ``what`` names the thing when it can't be shown.
    """
    opened: str = getattr(query, key)
    before, after = neighbours(ids, opened)
    return {
        "query": query,
        "panel": attempt(what, lambda: make(opened)) if opened else None,
        "previous": query.address(**{key: before}) if before else "",
        "next": query.address(**{key: after}) if after else "",
        "close": query.address(**{key: ""}),
    }
